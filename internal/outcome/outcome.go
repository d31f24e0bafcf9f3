// Package outcome sorts errors into the few kinds that callers, people and
// scripts, must tell apart.
package outcome

import "fmt"

// Code is the exit code of a command.
type Code int

// The codes, the same for every command. An error that says nothing of itself
// is Unchecked: whatever was asked, there is no answer.
const (
	Fine      Code = 0 // nothing wrong
	Wrong     Code = 1 // something was found wrong
	Usage     Code = 2 // wrong usage, configuration or surroundings
	Unchecked Code = 3 // something could not be checked
)

// Coded is an error that knows its code.
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

// As gives an error a code; a nil error stays nil.
func As(code Code, err error) error {
	if err == nil {
		return nil
	}
	return coded{err, code}
}

// Usagef is an error of wrong usage, configuration or surroundings.
func Usagef(format string, args ...any) error { return As(Usage, fmt.Errorf(format, args...)) }

// Wrongf is an error that says what was found wrong.
func Wrongf(format string, args ...any) error { return As(Wrong, fmt.Errorf(format, args...)) }

// Of is the code of an error and all that it wraps or joins. What was found
// wrong wins over everything, and wrong usage over what could not be checked.
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
