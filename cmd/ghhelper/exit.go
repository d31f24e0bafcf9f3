package main

import (
	"fmt"

	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/report"
)

func usage(format string, args ...any) error { return outcome.Usagef(format, args...) }

// uncheckedError reports that everything was done, but not everything was checked.
type uncheckedError struct{ n int }

func (e uncheckedError) Error() string {
	return fmt.Sprintf("%s could not be checked, see the table", report.Count(e.n, "thing"))
}
