package pgtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// owner is the database user, who may do everything.
const owner = "keysake"

// A Server is a running PostgreSQL server.
type Server struct {
	dir      string // of its files and its socket
	port     int
	password string
	more     []string
	// The server ends when it is closed, which a process's end does, too.
	alive io.WriteCloser
	ended chan struct{} // closed when the server has ended
}

// settings are those of every server. Its commits are durable by PostgreSQL's defaults.
func settings(dir string, port int) []string {
	return []string{
		"listen_addresses=127.0.0.1", "port=" + strconv.Itoa(port),
		"unix_socket_directories=" + dir, "unix_socket_permissions=0700",
		"max_connections=300", "max_wal_size=1GB", "logging_collector=off",
	}
}

// keeper starts the server, and again for each line that it reads: the one before must have ended.
// When its input ends, it ends the server and removes the folder: whatever way the process ends
// that holds the other side.
const keeper = `bin="$1"; dir="$2"; shift 2
"$bin/postgres" -D "$dir/data" "$@" >"$dir/log" 2>&1 &
server=$!
while read -r _; do
	wait $server
	"$bin/postgres" -D "$dir/data" "$@" >>"$dir/log" 2>&1 &
	server=$!
done
kill -QUIT $server 2>/dev/null
wait $server
rm -rf "$dir"
`

// Start starts a server with its files in a new folder in temp. More settings, as name=value, come
// after those of every server.
func Start(temp string, more ...string) (s *Server, err error) {
	bin, err := Programs()
	if err != nil {
		return nil, err
	}
	for range 5 {
		s, err = startOnce(temp, bin, more)
		if !errors.Is(err, errPortTaken) {
			return s, err
		}
	}
	return nil, err
}

// errPortTaken is the error of a server whose port another program took first.
var errPortTaken = errors.New("the port is in use")

func startOnce(temp, bin string, more []string) (*Server, error) {
	dir, err := os.MkdirTemp(temp, "keysake-postgres-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, password: rand.Text(), more: more, ended: make(chan struct{})}
	who, err := Unprivileged()
	if err == nil {
		err = s.create(bin, who)
	}
	if err == nil {
		s.port, err = FreePort()
	}
	if err == nil {
		err = s.launch(bin, who)
	}
	if err == nil {
		err = s.awaitAnswer()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start PostgreSQL: %w", err), s.Stop())
	}
	return s, nil
}

// Installed returns [ErrMissing] if there are no programs of PostgreSQL.
func Installed() error {
	_, err := Programs()
	return err
}

// Programs returns the folder of PostgreSQL's programs: version 15, or the newest there is.
func Programs() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	slices.SortFunc(found, func(a, b string) int { return rank(b) - rank(a) })
	if len(found) > 0 {
		return filepath.Dir(found[0]), nil
	}
	initdb, err := exec.LookPath("initdb")
	if err != nil {
		return "", ErrMissing
	}
	if initdb, err = filepath.EvalSymlinks(initdb); err != nil {
		return "", err
	}
	return filepath.Dir(initdb), nil
}

func rank(initdb string) int {
	version, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(initdb))))
	if version == 15 {
		return 1000
	}
	return version
}

// Unprivileged returns what starts a program as a user whom PostgreSQL accepts: it refuses root.
func Unprivileged() (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{Setpgid: true} // an interrupt at the terminal is not for it
	if os.Geteuid() != 0 {
		return attr, nil
	}
	var account *user.User
	var err error
	for _, name := range []string{"postgres", "nobody"} {
		if account, err = user.Lookup(name); err == nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attr, nil
}

// create makes the server's files. Its texts are ordered as people expect it, so that a query shows
// that it depends on that.
func (s *Server) create(bin string, who *syscall.SysProcAttr) error {
	password := filepath.Join(s.dir, "password")
	if err := os.WriteFile(password, []byte(s.password), 0o600); err != nil {
		return err
	}
	if as := who.Credential; as != nil {
		for _, path := range []string{s.dir, password} {
			if err := os.Chown(path, int(as.Uid), int(as.Gid)); err != nil {
				return err
			}
		}
	}
	cmd := exec.Command(filepath.Join(bin, "initdb"), "-D", filepath.Join(s.dir, "data"),
		"--username="+owner, "--pwfile="+password, "--auth-local=trust",
		"--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C", "--locale-provider=icu",
		"--icu-locale=en", "--no-sync", "--no-instructions")
	cmd.Dir, cmd.SysProcAttr = s.dir, who
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return os.Remove(password)
}

func (s *Server) launch(bin string, who *syscall.SysProcAttr) error {
	args := []string{"-c", keeper, "keeper", bin, s.dir}
	for _, setting := range append(settings(s.dir, s.port), s.more...) {
		args = append(args, "-c", setting)
	}
	cmd := exec.Command("/bin/sh", args...)
	cmd.Dir, cmd.SysProcAttr = s.dir, who
	alive, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.alive = alive
	go func() {
		defer close(s.ended)
		_ = cmd.Wait() // how it ended shows in its log
	}()
	return nil
}

func (s *Server) awaitAnswer() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		err := s.answers(ctx)
		if err == nil {
			return nil
		}
		switch log := s.log(); {
		case strings.Contains(log, "Address already in use"):
			return errPortTaken
		case strings.Contains(log, "FATAL:  could not"):
			return fmt.Errorf("%w\n%s", err, log)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w\n%s", err, s.log())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// answers connects once.
func (s *Server) answers(ctx context.Context) error {
	c, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	return c.Close(ctx)
}

// FreePort returns a port of loopback for a server that will come back to it. It is none of those
// that the kernel gives to connections: one to a server that is down could get that very port, and
// keep the server from coming back.
func FreePort() (int, error) {
	const first, ports = 20_000, 10_000
	for {
		port := first + mathrand.IntN(ports)
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			return port, l.Close()
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return 0, err
		}
	}
}

// log returns the end of what the server wrote.
func (s *Server) log() string {
	text, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return ""
	}
	lines := bytes.Split(text, []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-20):], []byte("\n")))
}

// Stop ends the server at once and removes its files.
func (s *Server) Stop() error {
	if s.alive == nil {
		return os.RemoveAll(s.dir)
	}
	err := s.alive.Close()
	<-s.ended
	return err
}
