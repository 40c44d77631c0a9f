package cli

import (
	"errors"

	"github.com/spf13/cobra"
)

// The checks of arguments repeat none of them, because one may be a misplaced value.

func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return errors.New("this command takes no arguments")
	}
	return nil
}

// exactlyOne requires one argument, which what describes.
func exactlyOne(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return errors.New(what + " is missing")
		case 1:
			return nil
		}
		return errors.New("this command takes one argument, " + what)
	}
}

var errValueArgument = errors.New("a value is never an argument, " +
	"where other programs can read it: use the prompt, standard input or --from-file; " +
	"if it was a real value, replace it at its provider")

// noValueArg refuses more than limit arguments to a command that reads a value: the next argument
// is probably that value.
func noValueArg(limit int) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > limit {
			return errValueArgument
		}
		return nil
	}
}
