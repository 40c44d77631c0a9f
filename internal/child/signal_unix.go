//go:build unix

package child

import (
	"os"
	"os/signal"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// forwarded are the signals that the command gets. Not SIGURG, which Go's runtime sends to itself,
// SIGCHLD and SIGPIPE, which are about this process.
//
//nolint:gochecknoglobals // it is a table: nothing writes to it
var forwarded = []os.Signal{
	syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT,
	syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH, syscall.SIGCONT,
}

// caught are those of them that were not ignored when this process started, as they are below
// nohup: what was ignored stays ignored, in the command as well. Go's runtime knows this of HUP and
// INT only, and only until somebody asks for them.
//
//nolint:gochecknoglobals // it is known only before main
var caught = slices.DeleteFunc(slices.Clone(forwarded), signal.Ignored)

// A forwarder passes signals on to a command.
type forwarder struct {
	tty      *os.File
	in, pipe chan os.Signal
	done     chan struct{}
}

// forward catches signals from now on. Those that come before the command has started are kept.
func forward(tty *os.File) *forwarder {
	f := &forwarder{
		tty: tty, in: make(chan os.Signal, 32), pipe: make(chan os.Signal, 1),
		done: make(chan struct{}),
	}
	signal.Notify(f.in, caught...)
	// Otherwise a reader that leaves would end this process, and not the command.
	signal.Notify(f.pipe, syscall.SIGPIPE)
	return f
}

// to begins to forward.
func (f *forwarder) to(pid int) {
	go func() {
		for {
			select {
			case s := <-f.in:
				if n := s.(syscall.Signal); !f.fromTerminal(n) {
					_ = syscall.Kill(pid, n) // fails if it has just ended
				}
			case <-f.done:
				return
			}
		}
	}()
}

// fromTerminal reports whether the terminal sends this signal to the command, too, because it is in
// the same process group. A second one would often end what the first one asked to tidy up.
func (f *forwarder) fromTerminal(s syscall.Signal) bool {
	if f.tty == nil || s != syscall.SIGINT && s != syscall.SIGQUIT {
		return false
	}
	group, err := unix.IoctlGetInt(int(f.tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

func (f *forwarder) stop() {
	signal.Stop(f.in)
	signal.Stop(f.pipe)
	close(f.done)
}
