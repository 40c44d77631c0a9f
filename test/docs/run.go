package docs

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// patience is how long a command may take. None is expected to take a hundredth of it.
const patience = 2 * time.Minute

// A Session is a shell in a fresh folder, as a reader who follows one document has it.
type Session struct {
	root  string // stands for / in the paths that a document names
	cmd   *exec.Cmd
	input io.WriteCloser
	codes *bufio.Reader // the exit code of each command, or the process of one in the background
	ports map[string]string
	count int

	// Databases are the URLs of databases that a document names, and what they stand for.
	Databases map[string]string
}

// setup makes the shell stop what runs in the background when its input ends, and wait for it. Each
// job is a group of processes.
const setup = `set -m -o pipefail
stop_all() {
	for job in $(jobs -p); do
		kill -- -$job; while kill -0 -- -$job; do sleep 0.02; done
	done 2>/dev/null
}
trap stop_all EXIT
`

// Start starts a session below root, an empty folder. The working directory is /home/you/keysake;
// it has the repository's Makefile and example, and its programs, which need no building there.
func Start(root, repository string, programs ...string) (*Session, error) {
	home := filepath.Join(root, "home", "you")
	work, tools := filepath.Join(home, "keysake"), filepath.Join(root, "tools")
	err := errors.Join(
		os.MkdirAll(filepath.Join(work, "bin"), 0o700), os.MkdirAll(tools, 0o700),
		os.WriteFile(filepath.Join(tools, "go"), []byte("#!/bin/sh\n"), 0o700),
	)
	for _, name := range []string{"Makefile", "example.mjs"} {
		err = errors.Join(err,
			os.Symlink(filepath.Join(repository, name), filepath.Join(work, name)))
	}
	for _, program := range programs {
		to := filepath.Join(work, "bin", filepath.Base(program))
		err = errors.Join(err, os.Symlink(program, to))
	}
	if err != nil {
		return nil, err
	}
	s := &Session{root: root, ports: map[string]string{}}
	s.cmd = exec.Command("bash", "--noprofile", "--norc", "-s")
	s.cmd.Dir = work
	s.cmd.Env = []string{
		"HOME=" + home, "PATH=" + tools + ":" + os.Getenv("PATH"), "LC_ALL=C.UTF-8",
		"KEYSAKE_LISTEN=" + s.inside("127.0.0.1:8420"),
		"KEYSAKE_URL=" + s.inside("http://127.0.0.1:8420"),
	}
	codes, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s.codes, s.cmd.ExtraFiles = bufio.NewReader(codes), []*os.File{write}
	if s.input, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := errors.Join(s.cmd.Start(), write.Close()); err != nil {
		return nil, err
	}
	_, err = io.WriteString(s.input, setup)
	return s, err
}

// Run runs the commands of a block and compares their output. It stops at the first that differs.
func (s *Session) Run(b Block) error {
	if b.Skip != "" {
		return nil
	}
	if b.Stopped {
		if _, err := s.answer("stop_all; echo $? >&3\n"); err != nil {
			return err
		}
	}
	for _, c := range b.Commands {
		run := s.foreground
		if b.Background {
			run = s.background
		}
		if err := run(c); err != nil {
			return fmt.Errorf("%s:%d: $ %s\n%w", b.File, c.Line, c.Text, err)
		}
	}
	return nil
}

// foreground runs a command in the shell itself, so that variables last.
func (s *Session) foreground(c Command) error {
	output, code, err := s.enter(c, "; echo $? >&3\n")
	if err != nil {
		return err
	}
	text := s.outside(output)
	if code != "0" {
		return fmt.Errorf("exit code %s:\n%s", code, text)
	}
	return compare(c, text, false)
}

// background starts a command and waits until it has written what it must.
func (s *Session) background(c Command) error {
	output, _, err := s.enter(c, " & echo $! >&3\n")
	if err != nil {
		return err
	}
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		err := compare(c, s.outside(output), true)
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}

// enter has the shell read a command from a file, and returns the file with its output and what
// the shell says of it. No command reads the shell's own input.
func (s *Session) enter(c Command, then string) (output, answer string, err error) {
	s.count++
	file := filepath.Join(s.root, strconv.Itoa(s.count))
	output = file + ".out"
	if err := os.WriteFile(file, []byte(s.inside(c.Text)+"\n"), 0o600); err != nil {
		return "", "", err
	}
	line := fmt.Sprintf(". '%s' >'%s' 2>&1 </dev/null 3>&-", file, output)
	if answer, err = s.answer(line + then); err != nil {
		return "", "", fmt.Errorf("the shell ended, or the command did not:\n%s", s.outside(output))
	}
	return output, answer, nil
}

// answer gives the shell a line, and returns what it says of it.
func (s *Session) answer(line string) (string, error) {
	if _, err := io.WriteString(s.input, line); err != nil {
		return "", err
	}
	timer := time.AfterFunc(patience, func() { _ = s.cmd.Process.Kill() }) // ends the read below
	defer timer.Stop()
	answer, err := s.codes.ReadString('\n')
	return strings.TrimSpace(answer), err
}

func compare(c Command, got string, background bool) error {
	if c.pattern(background).MatchString(got) {
		return nil
	}
	return fmt.Errorf("documented:\n%s\nwritten:\n%s", strings.Join(c.Lines, "\n"), got)
}

var (
	folders = regexp.MustCompile(`/(home/you|var/lib/keysake|etc/keysake|backups|auditor)\b`)
	address = regexp.MustCompile(`127\.0\.0\.1:([0-9]+)`)
	apiKey  = regexp.MustCompile(`ksk_[0-9A-Za-z]+`)
)

// inside turns the paths and ports of a document into those of the session.
func (s *Session) inside(text string) string {
	for documented, used := range s.Databases {
		text = strings.ReplaceAll(text, documented, used)
	}
	text = folders.ReplaceAllStringFunc(text, func(path string) string { return s.root + path })
	return address.ReplaceAllStringFunc(text, func(documented string) string {
		if s.ports[documented] == "" {
			s.ports[documented] = freeAddress()
		}
		return s.ports[documented]
	})
}

// outside reads output and turns it into what a reader sees. API keys are left out.
func (s *Session) outside(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	text := string(bytes.ReplaceAll(b, []byte(s.root), nil))
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	for documented, used := range s.ports {
		text = strings.ReplaceAll(text, used, documented)
	}
	return blankLines.ReplaceAllString(apiKey.ReplaceAllString(text, "ksk_…"), "\n\n")
}

// freeAddress returns an address that nothing listens on, with a port that the system does not give
// to connections.
func freeAddress() string {
	for {
		candidate := fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(10000))
		if l, err := net.Listen("tcp", candidate); err == nil {
			_ = l.Close()
			return candidate
		}
	}
}

// Close stops what runs in the background, and waits for its end.
func (s *Session) Close() error {
	timer := time.AfterFunc(patience, func() { _ = s.cmd.Process.Kill() })
	defer timer.Stop()
	return errors.Join(s.input.Close(), s.cmd.Wait())
}
