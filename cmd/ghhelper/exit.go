package main

import (
	"fmt"

	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/report"
)

func usage(format string, args ...any) error { return outcome.Usagef(format, args...) }

// uncheckedError says that all was done, but something could not be checked.
type uncheckedError struct{ n int }

func (e uncheckedError) Error() string {
	return fmt.Sprintf("%s could not be checked, see the table", report.Count(e.n, "thing"))
}
