package cli

import "golang.org/x/sys/unix"

// dropInput drops what the terminal has that nobody has read: the shell would get it.
func dropInput(fd int) {
	_ = unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIFLUSH) // there is no other way
}
