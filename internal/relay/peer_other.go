//go:build !linux

package relay

import (
	"net"
	"os"
)

// checkPeer lets in who could open the socket, which is in a folder of the user's alone.
func checkPeer(net.Conn) error { return nil }

func onlyOwner(path string) error { return os.Chmod(path, 0o600) }
