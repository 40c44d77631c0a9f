package cli

import (
	"errors"

	"github.com/spf13/cobra"
)

// These refuse a wrong number of arguments, and repeat none of them.

func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return errors.New("no arguments are taken")
	}
	return nil
}

// one takes exactly one argument, which what describes.
func one(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return errors.New(what + " is missing")
		case 1:
			return nil
		}
		return errors.New("one argument is taken, " + what)
	}
}

var errValueArgument = errors.New(
	"a value is never an argument, where other programs can read it: " +
		"give it at the prompt, on standard input, or with --from-file; if it was a real one, replace it at its provider",
)

// thenNoValue refuses more than max arguments, for a command that takes a value, as what it surely
// is: the value in the wrong place.
func thenNoValue(max int) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > max {
			return errValueArgument
		}
		return nil
	}
}
