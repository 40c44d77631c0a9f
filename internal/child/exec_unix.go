//go:build unix

package child

import (
	"errors"
	"syscall"
)

// Exec makes this process become the command. It returns only with an error, a [*StartError].
func (c Command) Exec() error {
	err := syscall.Exec(c.File, c.Args, c.Env) //nolint:gosec // its user says what is run
	if errors.Is(err, syscall.ENOEXEC) {
		script := c.asScript()
		err = syscall.Exec(script.File, script.Args, script.Env) //nolint:gosec // the same
	}
	return startError(err)
}

// asScript returns the command for a file that says nothing about what runs it: as shells do, a
// shell.
func (c Command) asScript() Command {
	args := append([]string{"sh", c.File}, c.Args[1:]...)
	return Command{File: "/bin/sh", Args: args, Env: c.Env}
}

func startError(err error) error {
	if errors.Is(err, syscall.E2BIG) {
		return cannotRun("the command cannot be run: its arguments and its environment are " +
			"too large for this system: give it fewer secrets, or use --file for the long ones")
	}
	return cannotRun("the command cannot be run: %v", err)
}
