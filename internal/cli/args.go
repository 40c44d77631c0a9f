package cli

import (
	"errors"
	"strings"

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
func exactlyOne(what string) cobra.PositionalArgs { return exactly(what) }

// atMostOne allows one argument, which what describes.
func atMostOne(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return exactly(what)(cmd, args)
	}
}

// exactly requires an argument for each description.
func exactly(what ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < len(what):
			return errors.New(what[len(args)] + " is missing")
		case strings.Contains(what[0], "NAME") && strings.Contains(args[0], "="):
			return errAssignment
		case len(args) == len(what):
			return nil
		case len(what) == 1:
			return errors.New("this command takes one argument, " + what[0])
		}
		return errors.New("this command takes " + strings.Join(what, " and "))
	}
}

// errAssignment is for NAME=VALUE, which the shell has kept.
var errAssignment = errors.New("NAME=VALUE is never an argument: if that was a real value, it is " +
	"in the history of your shell now, and other programs could read it: replace it at its " +
	"provider; the prompt, standard input and --from-file take values")

var errValueArgument = errors.New("a value is never an argument, " +
	"where other programs can read it: use the prompt, standard input or --from-file; " +
	"if it was a real value, it is in the history of your shell, too: " +
	"replace it at its provider")

// noValueArg refuses more than limit arguments to a command that reads a value: the next argument
// is probably that value.
func noValueArg(limit int) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > 0 && strings.Contains(args[0], "=") {
			return errAssignment
		}
		if len(args) > limit {
			return errValueArgument
		}
		return nil
	}
}
