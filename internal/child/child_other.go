//go:build !unix

package child

import "errors"

var errUnix = errors.New("keysake run does not work on this system yet")

// Find returns the file that a shell would run for a command.
func Find(string, string) (string, error) { return "", errUnix }

// Exec makes this process become the command.
func (Command) Exec() error { return errUnix }

// Run starts the command and returns when it has ended.
func (Command) Run(Filter) (Exit, error) { return Exit{}, errUnix }
