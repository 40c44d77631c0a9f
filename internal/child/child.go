// Package child makes this process become a command or, where its output passes through a filter,
// stand in for it: with its signals, its terminal and the way in which it ends.
package child

import (
	"fmt"
	"io"
)

// The exit codes that shells have for a command that could not be started.
const (
	CannotRun = 126
	NotFound  = 127
)

// A StartError says why a command was not started. It does not repeat the command.
type StartError struct {
	Code int // [CannotRun] or [NotFound]
	Text string
}

func (e *StartError) Error() string { return e.Text }

func cannotRun(format string, args ...any) error {
	return &StartError{CannotRun, fmt.Sprintf(format, args...)}
}

// A Command is a program to start.
type Command struct {
	File string   // that [Find] returned
	Args []string // with its name
	Env  []string // NAME=value
}

// A Filter says which output of a command passes through this process.
type Filter struct {
	Stdout, Stderr bool
	// Terminal: the command gets a terminal of its own in place of the streams that pass.
	Terminal bool
	// Through returns the writer that is between the command and a stream.
	Through func(io.Writer) io.WriteCloser
}

// An Exit is how a command ended.
type Exit struct {
	Code   int
	Signal int // 0 if it ended by itself
}
