package main

import (
	"errors"
	"fmt"

	"github.com/kubestellar/actions/internal/apply"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/rehearsal"
	"github.com/kubestellar/actions/internal/release"
)

// The exit codes, the same for every command.
const (
	codeFine      = 0
	codeFindings  = 1
	codeUsage     = 2
	codeUnchecked = 3
)

// usageError is wrong usage or configuration.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// uncheckedError says that all was done, but something could not be checked.
type uncheckedError struct{ n int }

func (e uncheckedError) Error() string {
	return fmt.Sprintf("%d things could not be checked, see the table", e.n)
}

// exitCode of an error: what was found wrong wins over what could not be
// asked.
func exitCode(err error) int {
	switch {
	case err == nil:
		return codeFine
	case isFinding(err):
		return codeFindings
	case isUsage(err):
		return codeUsage
	}
	var failed *rehearsal.FailedError
	if errors.As(err, &failed) && failed.Code > 0 {
		return failed.Code
	}
	return codeUnchecked
}

func isFinding(err error) bool {
	var findings *release.Findings
	var conflict *oci.Conflict
	var built *release.BuildError
	return errors.As(err, &findings) || errors.As(err, &conflict) || errors.As(err, &built) || errors.Is(err, oci.ErrAbsent)
}

func isUsage(err error) bool {
	var wrong usageError
	var problem delivery.Problem
	var full *apply.NotEmptyError
	return errors.As(err, &wrong) || errors.As(err, &problem) || errors.As(err, &full)
}
