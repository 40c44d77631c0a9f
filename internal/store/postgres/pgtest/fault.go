package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Socket returns the folder of the server's socket.
func (s *Server) Socket() string { return s.dir }

// Port returns the server's port on loopback, which is in the name of its socket as well.
func (s *Server) Port() int { return s.port }

// Signal sends a signal to all processes of the server.
func (s *Server) Signal(signal syscall.Signal) error {
	_, err := s.signal(signal)
	return err
}

func (s *Server) signal(signal syscall.Signal) (all []int, err error) {
	main, err := s.pid()
	if err != nil {
		return nil, err
	}
	all, err = Children(main)
	if err != nil {
		return nil, err
	}
	all = append([]int{main}, all...) // the first one before it could do anything about the others
	for _, pid := range all {
		if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return nil, err
		}
	}
	return all, nil
}

// Kill ends all processes of the server with SIGKILL, and returns when they are gone.
func (s *Server) Kill() error {
	all, err := s.signal(syscall.SIGKILL)
	for _, pid := range all {
		for runs(pid) {
			time.Sleep(time.Millisecond)
		}
	}
	return err
}

// KillBackend ends a process that serves a connection with SIGKILL, and reports whether there was
// one. The server ends all connections then, and recovers.
func (s *Server) KillBackend() (bool, error) {
	main, err := s.pid()
	if err != nil {
		return false, err
	}
	all, err := Children(main)
	if err != nil {
		return false, err
	}
	for _, pid := range all {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && strings.HasPrefix(string(line), "postgres: "+owner+" ") {
			return true, syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	return false, nil
}

// Again starts a server that has ended, on the same files, and returns when it answers.
func (s *Server) Again(ctx context.Context) error {
	if _, err := io.WriteString(s.alive, "again\n"); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		err := s.answers(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("start PostgreSQL again: %w\n%s", err, s.log())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Runs reports whether the server's first process runs.
func (s *Server) Runs() bool {
	pid, err := s.pid()
	return err == nil && runs(pid)
}

// Standby starts a server that copies this one as it changes, with its files in a new folder in
// temp.
func (s *Server) Standby(temp string) (*Server, error) {
	bin, err := Programs()
	if err != nil {
		return nil, err
	}
	who, err := Unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(temp, "keysake-postgres-")
	if err != nil {
		return nil, err
	}
	copied := &Server{dir: dir, password: s.password, ended: make(chan struct{})}
	if as := who.Credential; as != nil {
		err = os.Chown(dir, int(as.Uid), int(as.Gid))
	}
	if err == nil {
		copied.port, err = FreePort()
	}
	if err == nil {
		cmd := exec.Command(filepath.Join(bin, "pg_basebackup"), "-h", s.dir, "-p",
			strconv.Itoa(s.port), "-U", owner, "-D", filepath.Join(dir, "data"),
			"--write-recovery-conf", "--checkpoint=fast", "--no-sync")
		cmd.Dir, cmd.SysProcAttr = dir, who
		var out []byte
		if out, err = cmd.CombinedOutput(); err != nil {
			err = fmt.Errorf("pg_basebackup: %w\n%s", err, out)
		}
	}
	if err == nil {
		err = copied.launch(bin, who)
	}
	if err == nil {
		err = copied.awaitAnswer()
	}
	if err != nil {
		return nil, errors.Join(err, copied.Stop())
	}
	return copied, nil
}

// pid returns the number of the server's first process.
func (s *Server) pid() (int, error) {
	text, err := os.ReadFile(filepath.Join(s.dir, "data", "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strconv.Atoi(line)
}

// Children returns the numbers of the processes that a process has started.
func Children(pid int) (all []int, err error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil, err
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			return nil, err
		}
		for _, field := range strings.Fields(string(text)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				return nil, err
			}
			all = append(all, child)
		}
	}
	return all, nil
}

// runs reports whether a process is there, and more than an entry for whoever waits for it.
func runs(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, found := strings.Cut(string(stat), ") ")
	return found && !strings.HasPrefix(state, "Z")
}
