package cli_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keysake/keysake/internal/apptest"
)

const longValue = "correct-horse-battery-staple"

// A session is a shell with job control on a terminal, whose keysake is logged in.
type session struct {
	t      *testing.T
	person *os.File
	seen   *apptest.Buffer
	shell  *exec.Cmd
}

// newSession starts a shell. It can run keysake, and a person can type.
func newSession(t *testing.T, s *leaseServer) *session {
	t.Helper()
	person, stdin := openTerminal(t)
	shell := s.keysake(t)
	bin := t.TempDir()
	if err := os.Symlink(shell.Path, filepath.Join(bin, "keysake")); err != nil {
		t.Fatal(err)
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal(err)
	}
	shell.Path, shell.Args = bash, []string{"bash", "--norc", "--noprofile", "-i"}
	shell.Env = append(shell.Env, "PATH="+bin+":"+os.Getenv("PATH"), "PS1=", "TERM=dumb")
	shell.Stdin, shell.Stdout, shell.Stderr = stdin, stdin, stdin
	shell.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	on := &session{t: t, person: person, seen: &apptest.Buffer{}, shell: shell}
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := person.Read(buf)
			if err != nil {
				return
			}
			_, _ = on.seen.Write(buf[:n])
		}
	}()
	t.Cleanup(func() { _ = shell.Process.Kill(); _ = shell.Wait() })
	on.types("stty -echo\n")
	return on
}

func (on *session) types(text string) {
	on.t.Helper()
	if _, err := on.person.WriteString(text); err != nil {
		on.t.Fatal(err)
	}
}

// asks types a question until its answer is seen: a shell that takes its terminal back may drop
// what was typed meanwhile.
func (on *session) asks(question, answer string) {
	on.t.Helper()
	for range 5 {
		on.types(question)
		for end := time.Now().Add(2 * time.Second); time.Now().Before(end); {
			if strings.Contains(on.seen.String(), answer) {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	on.sees(answer)
}

// sees waits until the terminal has shown this text, once more than before.
func (on *session) sees(text string) {
	on.t.Helper()
	for end := time.Now().Add(timeout); ; time.Sleep(5 * time.Millisecond) {
		if strings.Contains(on.seen.String(), text) {
			return
		}
		if time.Now().After(end) {
			on.t.Fatalf("the terminal has not %q: %q", text, on.seen.String())
		}
	}
}

// ways are the ways in which a command is run in a terminal: it becomes the process, its output is
// masked in a pipe, and it has a terminal of its own.
var ways = map[string][2]string{
	"exec": {"keysake run --all -- ", ""},
	"pipe": {"keysake run --all -- ", " | (trap '' INT; cat)"},
	"pty":  {"keysake run --all --mask -- ", ""},
}

func TestAnInterruptOnATerminalReachesTheCommandOnce(t *testing.T) {
	s := serveLeases(t, map[string]string{"LONG": longValue})
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			on := newSession(t, s)
			on.types(way[0] + `bash -c 'n=0; trap "n=\$((n+1))" INT; echo rea""dy
				until [ $n -gt 0 ]; do sleep 0.05; done; sleep 0.3; echo count=$n; exit 5'` +
				way[1] + "; echo code=$?\n")
			on.sees("ready")
			on.types("\x03")
			on.sees("count=1")
			on.sees("code=" + map[string]string{"exec": "5", "pty": "5", "pipe": "0"}[name])
		})
	}
}

func TestACommandOnATerminalIsStoppedAndContinued(t *testing.T) {
	s := serveLeases(t, map[string]string{"LONG": longValue})
	for _, name := range []string{"exec", "pipe"} {
		way := ways[name]
		t.Run(name, func(t *testing.T) {
			on := newSession(t, s)
			on.types(way[0] +
				`bash -c 'echo rea""dy; read -r line </dev/tty; echo "got $line"'` + way[1] + "\n")
			on.sees("ready")
			on.types("\x1a")
			on.sees("Stopped")
			on.asks("echo at the shell\n", "at the shell")
			on.types("fg\n")
			time.Sleep(100 * time.Millisecond)
			on.types("a line\n")
			on.sees("got a line")
		})
	}
}

func TestTheTerminalAndTheProcessGroupAreTheCommands(t *testing.T) {
	s := serveLeases(t, map[string]string{"LONG": longValue})
	// Fields of /proc/PID/stat after the name: state, parent, group, session, terminal, foreground.
	const script = `sh -c 'set -- $(sed "s/.*) //" /proc/$$/stat); ` +
		`[ $3 = $6 ] && echo fore""ground; [ -t 0 ] && stty size; [ -t 1 ] && echo shows $LONG'`
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			on := newSession(t, s)
			size := &unix.Winsize{Row: 33, Col: 77}
			if err := unix.IoctlSetWinsize(int(on.person.Fd()), unix.TIOCSWINSZ, size); err != nil {
				t.Fatal(err)
			}
			on.types(way[0] + script + way[1] + "; echo do''ne\n")
			on.sees("done")
			seen := on.seen.String()
			shown := map[string]string{
				"exec": "shows " + longValue, "pty": "shows correc••••ple", "pipe": "foreground",
			}[name]
			if !strings.Contains(seen, "foreground") || !strings.Contains(seen, "33 77") ||
				!strings.Contains(seen, shown) {
				t.Errorf("the terminal shows %q", seen)
			}
			if name == "pty" && strings.Contains(seen, longValue) {
				t.Error("the value is on the terminal")
			}
		})
	}
}

func TestATerminalIsLeftAsItWas(t *testing.T) {
	s := serveLeases(t, map[string]string{"LONG": longValue})
	on := newSession(t, s)
	on.types("a=$(stty -g); keysake run --all --mask -- sh -c 'stty -echo; kill -TERM $$'; " +
		`echo code=$?; [ "$a" = "$(stty -g)" ] && echo sa""me` + "\n")
	on.sees("code=143")
	on.sees("same")
}

// The value is looked for in the command lines and environments of all processes of a run.
func TestNoProcessButTheCommandHasAValue(t *testing.T) {
	value := strings.Join([]string{"canary", "of", "nobody", fmt.Sprint(os.Getpid())}, "-")
	s := serveLeases(t, map[string]string{"LONG": value})
	for _, flag := range []string{"--no-mask", "--label=masked"} {
		cmd := s.keysake(t, "run", "--all", flag, "--", "sh", "-c", "echo $$ ready; exec sleep 60")
		out, err := cmd.StdoutPipe()
		if err := errors.Join(err, cmd.Start()); err != nil {
			t.Fatal(err)
		}
		var pid int
		if _, err := fmt.Fscan(out, &pid); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond) // the shell becomes sleep
		var found []int
		for _, p := range family(t, cmd.Process.Pid) {
			if shows(p, value) {
				found = append(found, p)
			}
		}
		if len(found) != 1 || found[0] != pid {
			t.Errorf("%s: %d have the value, and the command is %d", flag, found, pid)
		}
		if flag == "--label=masked" {
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", cmd.Process.Pid))
			if err != nil || !bytes.Contains(status, []byte("Max core file size        0 ")) {
				t.Errorf("the parent may write a core file: %v", err)
			}
		}
		_ = syscall.Kill(pid, syscall.SIGKILL)
		_ = cmd.Wait()
	}
}

// The parent that masks has the values in its memory. Others of its user cannot look into it, as
// they can into most processes of theirs.
func TestTheMemoryOfAParentIsClosedToItsUser(t *testing.T) {
	s := serveLeases(t, map[string]string{"LONG": longValue})
	cmd := s.keysake(t, "run", "--all", "--", "sh", "-c", "echo $$; exec sleep 60")
	as := asNobody(t, cmd)
	out, err := cmd.StdoutPipe()
	if err := errors.Join(err, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	var command int
	if _, err := fmt.Fscan(out, &command); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond) // the shell becomes sleep
	reads := func(pid int, file string) bool {
		cat := exec.Command("cat", fmt.Sprintf("/proc/%d/%s", pid, file))
		cat.SysProcAttr = &syscall.SysProcAttr{Credential: as}
		return cat.Run() == nil
	}
	for _, file := range []string{"environ", "maps"} {
		if !reads(command, file) || reads(cmd.Process.Pid, file) {
			t.Errorf("%s: of the command %t, of its parent %t", file, reads(command, file),
				reads(cmd.Process.Pid, file))
		}
	}
	_ = syscall.Kill(command, syscall.SIGKILL)
	_ = cmd.Wait()
}

// asNobody makes cmd run as another user than root, to whom /proc is open.
func asNobody(t *testing.T, cmd *exec.Cmd) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	program, err := os.ReadFile(cmd.Path)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/tmp", "keysake-test-")
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	cmd.Path, cmd.Dir = filepath.Join(dir, "keysake"), "/"
	err = errors.Join(err, os.Chmod(dir, 0o755), os.WriteFile(cmd.Path, program, 0o755))
	if err != nil {
		t.Fatal(err)
	}
	as := &syscall.Credential{Uid: 65534, Gid: 65534}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	return as
}

// family returns a process and those that descend from it.
func family(t *testing.T, pid int) []int {
	t.Helper()
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", all[i]))
		if err != nil || len(threads) == 0 {
			t.Fatalf("%v, process %d has no threads", err, all[i])
		}
		for _, path := range threads {
			b, err := os.ReadFile(path)
			if err != nil {
				continue // the thread has ended
			}
			for field := range strings.FieldsSeq(string(b)) {
				var child int
				if _, err := fmt.Sscan(field, &child); err == nil {
					all = append(all, child)
				}
			}
		}
	}
	return all
}

// shows reports whether the value is in the command line or environment of a process.
func shows(pid int, value string) bool {
	for _, file := range []string{"cmdline", "environ"} {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
		if err == nil && bytes.Contains(b, []byte(value)) {
			return true
		}
	}
	return false
}
