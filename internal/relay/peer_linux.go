package relay

import (
	"net"
	"os"
	"syscall"
)

// checkPeer refuses connections of other users than this one and root.
func checkPeer(c net.Conn) error {
	socket, ok := c.(*net.UnixConn)
	if !ok {
		return errForeign
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
		return errForeign
	}
	return nil
}

func onlyOwner(path string) error { return os.Chmod(path, 0o600) }
