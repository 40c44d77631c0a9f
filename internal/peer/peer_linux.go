package peer

import (
	"net"
	"os"
	"syscall"
)

// Check returns nil if the other end of a Unix socket was connected, or listens, by the user who
// runs this process, or by root. [ErrForeign].
func Check(c net.Conn) error {
	socket, ok := c.(*net.UnixConn)
	if !ok {
		return ErrForeign
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	var peer *syscall.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		peer, failed = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	switch {
	case err != nil:
		return err
	case failed != nil:
		return failed
	case peer.Uid != 0 && int(peer.Uid) != os.Getuid():
		return ErrForeign
	}
	return nil
}
