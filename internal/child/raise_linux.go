package child

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sigaction is the kernel's, with room for the mask of every architecture. All zero, it is the
// default action.
type sigaction [8]uint64

// Raise ends this process as the command ended: by the same signal, so that a shell sees it, or
// with its exit code.
func (e Exit) Raise() {
	if e.Signal != 0 {
		// Go's runtime would print its stack on some signals.
		var action sigaction
		_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(e.Signal),
			uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0) //nolint:gosec // read during the call
		_ = syscall.Kill(os.Getpid(), syscall.Signal(e.Signal))
		for range 100 { // it may reach another thread first
			_ = unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
		}
	}
	os.Exit(e.Code) // the first process of a container has no default actions
}
