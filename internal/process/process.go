// Package process makes the memory of this process hard to look into, and says how much it is.
package process

import (
	"errors"
	"io"
	"log"
)

// Harden keeps the memory out of core dumps and, where the system has it, out of the reach of
// debuggers and of /proc for other processes of the same user. Root can still read it. An error
// means that some of that could not be done.
//
// It also silences package log, to which net/http writes what a server sends unasked: that may have
// a key in it. Nothing of Keysake's writes there.
//
// Call it before any key is read: it cannot take back what was dumped before.
func Harden() error {
	log.SetOutput(io.Discard)
	return errors.Join(noCoreDump(), notDumpable())
}
