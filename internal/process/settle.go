package process

import "runtime/debug"

// Settle gives back the memory that only the start of a server needed.
func Settle() {
	debug.FreeOSMemory()
	forgetProgram()
}
