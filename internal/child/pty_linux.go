package child

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// openTerminal gives the command a new terminal for every stream that is one now, and connects it
// with this one's.
func (s *streams) openTerminal(f Filter) error {
	master, slave, err := newTerminal()
	if err != nil {
		return fmt.Errorf("make a terminal: %w", err)
	}
	s.ends = append(s.ends, slave)
	s.passes = append(s.passes, &pass{from: master, to: os.Stdout})
	s.sys = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	input := term.IsTerminal(0)
	wanted := []bool{input, f.Stdout && term.IsTerminal(1), f.Stderr && term.IsTerminal(2)}
	for fd, is := range wanted {
		if is {
			s.child[fd], s.sys.Ctty = slave.Fd(), fd
		}
	}
	resize := make(chan os.Signal, 1)
	signal.Notify(resize, syscall.SIGWINCH)
	copySize(master)
	go func() {
		for range resize {
			copySize(master)
		}
	}()
	s.restore = func() error { signal.Stop(resize); close(resize); return nil }
	if !input {
		return nil
	}
	before, err := term.MakeRaw(0)
	if err != nil {
		return err
	}
	go func() { _, _ = io.Copy(master, os.Stdin) }() // until this process ends
	stop := s.restore
	s.restore = func() error { return errors.Join(stop(), term.Restore(0, before)) }
	return nil
}

func newTerminal() (master, slave *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	raw, err := master.SyscallConn()
	if err != nil {
		return nil, nil, errors.Join(err, master.Close())
	}
	var number int
	failed := raw.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			number, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	})
	if err = errors.Join(err, failed); err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		return nil, nil, errors.Join(err, master.Close())
	}
	return master, slave, nil
}

// copySize gives the new terminal the size of the one that shows it.
func copySize(master *os.File) {
	for _, fd := range []int{1, 2, 0} {
		size, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
		if err != nil {
			continue
		}
		if raw, err := master.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) {
				_ = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, size)
			})
		}
		return
	}
}
