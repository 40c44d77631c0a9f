//go:build unix

package child

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

// After a command has ended, what it left running in the background may still hold its output. Run
// passes on what comes without a pause of this length, for this long at most.
const (
	pause   = 300 * time.Millisecond
	longest = 5 * time.Second
)

// Run starts the command, passes its output through the filter, forwards signals, and returns when
// it has ended. [*StartError]: it was not started.
func (c Command) Run(f Filter) (Exit, error) {
	s, err := f.open()
	if err != nil {
		return Exit{}, err
	}
	signals := forward(s.tty)
	defer signals.stop()
	pid, err := c.fork(s)
	s.closeChildEnds()
	if err != nil {
		return Exit{}, errors.Join(startError(err), s.close())
	}
	signals.to(pid)
	var copies sync.WaitGroup
	for _, p := range s.passes {
		copies.Go(func() { p.copy(f.Through) })
	}
	end := wait(pid)
	until := time.Now().Add(longest)
	for _, p := range s.passes {
		p.ending(until)
	}
	copies.Wait()
	return end, s.close()
}

func (c Command) fork(s *streams) (pid int, err error) {
	attr := &syscall.ProcAttr{Env: c.Env, Files: s.child[:], Sys: s.sys}
	pid, err = syscall.ForkExec(c.File, c.Args, attr) //nolint:gosec // its user says what is run
	if errors.Is(err, syscall.ENOEXEC) {
		script := c.asScript()
		pid, err = syscall.ForkExec(script.File, script.Args, attr) //nolint:gosec // as above
	}
	return pid, err
}

// wait waits for the end of a process, and reaps others that became this one's, as those of an init
// process do.
func wait(pid int) Exit {
	for {
		var status syscall.WaitStatus
		got, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return Exit{Code: CannotRun} // somebody else reaped it
		case got != pid:
		case status.Signaled():
			return Exit{Code: 128 + int(status.Signal()), Signal: int(status.Signal())}
		default:
			return Exit{Code: status.ExitStatus()}
		}
	}
}

// streams are what a command gets for its standard streams.
type streams struct {
	child   [3]uintptr
	ends    []*os.File // the command's, which are closed here when it has them
	passes  []*pass
	tty     *os.File // the terminal that the command shares with this process, if any
	sys     *syscall.SysProcAttr
	restore func() error // of the terminal's state
}

// open makes the pipes, or the terminal, that the filter asks for.
func (f Filter) open() (*streams, error) {
	s := &streams{child: [3]uintptr{0, 1, 2}, restore: func() error { return nil }}
	if f.Terminal {
		return s, s.openTerminal(f)
	}
	s.tty, _ = os.OpenFile("/dev/tty", os.O_RDWR|syscall.O_NOCTTY, 0) // there may be none
	one := f.Stdout && f.Stderr && sameFile(os.Stdout, os.Stderr)
	for i, out := range []*os.File{os.Stdout, os.Stderr} {
		fd := i + 1
		switch {
		case fd == 1 && !f.Stdout, fd == 2 && !f.Stderr:
			continue
		case fd == 2 && one: // what is written to both keeps its order
			s.child[2] = s.child[1]
			continue
		}
		r, w, err := os.Pipe()
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		s.ends = append(s.ends, w)
		s.child[fd] = w.Fd() // makes it block, as the command expects
		s.passes = append(s.passes, &pass{from: r, to: out})
	}
	return s, nil
}

func sameFile(a, b *os.File) bool {
	one, err1 := a.Stat()
	two, err2 := b.Stat()
	return err1 == nil && err2 == nil && os.SameFile(one, two)
}

func (s *streams) closeChildEnds() {
	for _, f := range s.ends {
		_ = f.Close() // the command has its own
	}
}

func (s *streams) close() error {
	for _, p := range s.passes {
		_ = p.from.Close() // it was only read
	}
	if s.tty != nil {
		_ = s.tty.Close() // it was only asked
	}
	return s.restore()
}

// A pass is a stream of a command on its way out.
type pass struct {
	from  *os.File
	to    io.Writer
	mutex sync.Mutex
	until time.Time // when to stop, once the command has ended
}

// copy passes everything on. If nobody reads any more, it closes the command's stream, so that the
// command gets the signal or the error that it would have got.
func (p *pass) copy(through func(io.Writer) io.WriteCloser) {
	w := through(p.to)
	buf := make([]byte, 32<<10)
	for {
		n, err := p.from.Read(buf)
		if n > 0 {
			if _, failed := w.Write(buf[:n]); failed != nil {
				_ = p.from.Close() // nobody reads what comes
				return
			}
			p.extend()
		}
		if err != nil {
			_ = w.Close() // nobody reads the rest
			clear(buf)
			return
		}
	}
}

// ending makes copy stop at a pause, or at that time.
func (p *pass) ending(until time.Time) {
	p.mutex.Lock()
	p.until = until
	p.mutex.Unlock()
	p.extend()
}

func (p *pass) extend() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.until.IsZero() {
		return
	}
	next := time.Now().Add(pause)
	if next.After(p.until) {
		next = p.until
	}
	_ = p.from.SetReadDeadline(next) // fails where it is closed already
}
