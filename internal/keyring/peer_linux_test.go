package keyring_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/keysake/keysake/internal/peer"
)

// listenAs listens at a socket as a user.
func listenAs(t *testing.T, uid int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bus")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	raw, err := l.(*net.UnixListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	// The kernel notes who last called listen, by the thread that did.
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocks it: the thread ends
		_, _, failed := syscall.RawSyscall(
			syscall.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0))
		if failed != 0 {
			done <- failed
			return
		}
		var again error
		err := raw.Control(func(fd uintptr) { again = syscall.Listen(int(fd), 8) })
		done <- errors.Join(err, again)
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return path
}

func TestABusOfAnotherUserIsGivenNothing(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	assertRefused(t, at("unix:path="+listenAs(t, 65534)), peer.ErrForeign.Error())
}
