//go:build !linux

package child

import "os"

// Raise ends this process with the exit code of the command.
func (e Exit) Raise() { os.Exit(e.Code) }
