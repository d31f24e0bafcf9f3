// Package outcome sorts errors into the kinds that exit codes distinguish.
package outcome

import "fmt"

// Code is the exit code of a command.
type Code int

// The codes are the same for every command. An error without a code is Unchecked.
const (
	Fine      Code = 0 // nothing is wrong
	Wrong     Code = 1 // something was found wrong
	Usage     Code = 2 // wrong usage, configuration or environment
	Unchecked Code = 3 // something could not be checked
)

// Coded is an error with a code.
type Coded interface {
	error
	Code() Code
}

type coded struct {
	error
	code Code
}

func (c coded) Code() Code    { return c.code }
func (c coded) Unwrap() error { return c.error }

// As returns the error with a code, or nil for a nil error.
func As(code Code, err error) error {
	if err == nil {
		return nil
	}
	return coded{err, code}
}

// Usagef returns an error of wrong usage, configuration or environment.
func Usagef(format string, args ...any) error { return As(Usage, fmt.Errorf(format, args...)) }

// Wrongf returns an error for something that was found wrong.
func Wrongf(format string, args ...any) error { return As(Wrong, fmt.Errorf(format, args...)) }

// ErrAbsent is wrapped by an error if the query succeeded and the answer is that there is no such thing. Other errors
// of a query mean that it could not be made or was not answered.
var ErrAbsent = Wrongf("not found")

// Of returns the code of an error and of the errors that it wraps or joins. Wrong
// takes precedence over Usage, and Usage over Unchecked.
func Of(err error) Code {
	if err == nil {
		return Fine
	}
	code := Unchecked
	walk(err, func(c Coded) { code = min(code, c.Code()) })
	return code
}

func walk(err error, visit func(Coded)) {
	if c, ok := err.(Coded); ok {
		visit(c)
	}
	switch wraps := err.(type) {
	case interface{ Unwrap() error }:
		if inner := wraps.Unwrap(); inner != nil {
			walk(inner, visit)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range wraps.Unwrap() {
			walk(inner, visit)
		}
	}
}
