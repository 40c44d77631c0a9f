package child_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keysake/keysake/internal/child"
)

// The test's binary is also a program that runs a command: TEST exec|run|terminal COMMAND ARGS…
func TestMain(m *testing.M) {
	if len(os.Args) < 3 || os.Args[1] != "exec" && os.Args[1] != "run" && os.Args[1] != "terminal" {
		// What is ignored here, as below nohup, would be ignored in the programs, too. What is
		// caught here is not.
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT)
		os.Exit(m.Run())
	}
	err := become(os.Args[1], os.Args[2:])
	fmt.Fprintln(os.Stderr, "not started:", err)
	if failed, ok := errors.AsType[*child.StartError](err); ok {
		os.Exit(failed.Code)
	}
	os.Exit(99)
}

func become(how string, args []string) error {
	file, err := child.Find(args[0], os.Getenv("PATH"))
	if err != nil {
		return err
	}
	c := child.Command{File: file, Args: args, Env: os.Environ()}
	if how == "exec" {
		return c.Exec()
	}
	end, err := c.Run(child.Filter{
		Stdout: true, Stderr: true, Terminal: how == "terminal", Through: upper,
	})
	if err == nil {
		end.Raise()
	}
	return err
}

// upper makes everything upper case, so that a test sees what has passed through.
func upper(w io.Writer) io.WriteCloser { return &uppercase{w} }

type uppercase struct{ io.Writer }

func (u *uppercase) Write(p []byte) (int, error) { return u.Writer.Write(bytes.ToUpper(p)) }
func (u *uppercase) Close() error                { return nil }

func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exec.Command(path, args...)
}

func eachWay(t *testing.T, test func(t *testing.T, how string)) {
	t.Helper()
	for _, how := range []string{"exec", "run"} {
		t.Run(how, func(t *testing.T) { test(t, how) })
	}
}

func TestACommandEndsAsItWouldAlone(t *testing.T) {
	eachWay(t, func(t *testing.T, how string) {
		t.Helper()
		for script, want := range map[string]syscall.WaitStatus{
			"exit 0":              0,
			"exit 7":              7 << 8,
			"exit 255":            255 << 8,
			"kill -TERM $$":       syscall.WaitStatus(syscall.SIGTERM),
			"kill -INT $$":        syscall.WaitStatus(syscall.SIGINT),
			"kill -KILL $$":       syscall.WaitStatus(syscall.SIGKILL),
			"kill -QUIT $$":       syscall.WaitStatus(syscall.SIGQUIT),
			"kill -SEGV $$":       syscall.WaitStatus(syscall.SIGSEGV),
			"kill -PIPE $$":       syscall.WaitStatus(syscall.SIGPIPE),
			"kill -USR1 $$; :":    syscall.WaitStatus(syscall.SIGUSR1),
			"sleep 0.01; exit 42": 42 << 8,
		} {
			// A core file has the size 0 here, and its bit is not compared.
			cmd := program(t, how, "sh", "-c", "ulimit -c 0; "+script)
			_ = cmd.Run()
			got := cmd.ProcessState.Sys().(syscall.WaitStatus) &^ 0x80
			if got != want {
				t.Errorf("%s: status %#x, want %#x", script, got, want)
			}
		}
	})
}

func TestACommandThatCannotStartHasTheExitCodeOfAShell(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir+":"+os.Getenv("PATH")+"::")
	t.Chdir(dir)
	for name, mode := range map[string]os.FileMode{
		"denied": 0o600, "script": 0o700, "broken": 0o700,
	} {
		text := map[string]string{"script": "exit 5\n", "broken": "#!/no/such/interpreter\n"}[name]
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir("folder", 0o700); err != nil {
		t.Fatal(err)
	}
	eachWay(t, func(t *testing.T, how string) {
		t.Helper()
		for command, want := range map[string]int{
			"no-such-command": 127, "/no/such/command": 127, "": 127, "script/x": 127,
			"denied": 126, "./denied": 126, "./folder": 126, "broken": 126,
			"script": 5, "./script": 5,
		} {
			cmd := program(t, how, command)
			out, _ := cmd.CombinedOutput()
			if got := cmd.ProcessState.ExitCode(); got != want {
				t.Errorf("%q: exit code %d, want %d", command, got, want)
			}
			if want > 100 && (bytes.Count(out, []byte("\n")) != 1 ||
				!bytes.HasPrefix(out, []byte("not started: the command "))) {
				t.Errorf("%q: %s", command, out)
			}
		}
	})
}

func TestTooLargeAnEnvironmentIsSaid(t *testing.T) {
	large := "A=" + strings.Repeat("a", 200_000)
	c := child.Command{File: "/bin/true", Args: []string{"true"}, Env: []string{large}}
	_, err := c.Run(child.Filter{})
	if failed, ok := errors.AsType[*child.StartError](err); !ok || failed.Code != 126 ||
		!strings.Contains(failed.Text, "too large") {
		t.Errorf("error %v", err)
	}
}

// start starts a shell script, and returns when it has said that it is ready.
func start(t *testing.T, how, script string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	cmd := program(t, how, "sh", "-c", script)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.ExtraFiles = &out, []*os.File{w}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	if _, err := r.Read(make([]byte, 1)); err != nil {
		t.Fatalf("the script did not start: %v", err)
	}
	return cmd, &out
}

func TestSignalsReachTheCommandOnce(t *testing.T) {
	eachWay(t, func(t *testing.T, how string) {
		t.Helper()
		for _, s := range []syscall.Signal{
			syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1,
			syscall.SIGUSR2, syscall.SIGWINCH,
		} {
			name := strings.TrimPrefix(unix.SignalName(s), "SIG")
			cmd, out := start(t, how, `trap 'echo got; n=x' `+name+`
				trap 'echo end $n; exit 9' ABRT
				echo >&3; exec 3>&-
				while [ -z "$n" ]; do sleep 0.01; done; sleep 0.05; kill -ABRT $$; sleep 1`)
			_ = cmd.Process.Signal(s)
			_ = cmd.Wait()
			got := strings.ToLower(out.String())
			if got != "got\nend x\n" || cmd.ProcessState.ExitCode() != 9 {
				t.Errorf("%s: %v, %q", name, cmd.ProcessState, got)
			}
		}
	})
}

// As below nohup, or in the background of a script.
func TestWhatWasIgnoredStaysIgnored(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	eachWay(t, func(t *testing.T, how string) {
		t.Helper()
		const script = `kill -HUP $$; kill -INT $$; [ $0 = run ] && kill -HUP $PPID
			kill -INT $PPID; sleep 0.05; echo alive`
		cmd := exec.Command("sh", "-c", `trap "" HUP INT; (exec "$0" "$@"); exit $?`,
			path, how, "sh", "-c", script, how)
		out, err := cmd.CombinedOutput()
		if err != nil || strings.ToLower(string(out)) != "alive\n" {
			t.Errorf("%v, %q", err, out)
		}
	})
}

// Go's runtime sends itself SIGURG all the time. From other programs of this kind it reached the
// command.
func TestSignalsAboutTheParentAreNotForwarded(t *testing.T) {
	cmd, out := start(t, "run", `trap 'echo got' URG PIPE
		trap 'echo end; exit 9' TERM
		echo >&3; exec 3>&-
		while :; do sleep 0.01; done`)
	for range 20 {
		_ = cmd.Process.Signal(syscall.SIGURG)
		_ = cmd.Process.Signal(syscall.SIGPIPE)
		time.Sleep(2 * time.Millisecond)
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	_ = cmd.Wait()
	if out.String() != "END\n" || cmd.ProcessState.ExitCode() != 9 {
		t.Errorf("%v, %q", cmd.ProcessState, out)
	}
}

func TestASignalThatEndsTheCommandIsSeenOutside(t *testing.T) {
	eachWay(t, func(t *testing.T, how string) {
		t.Helper()
		cmd, _ := start(t, how, `echo >&3; exec 3>&-; exec sleep 30`)
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		s := cmd.ProcessState.Sys().(syscall.WaitStatus)
		if !s.Signaled() || s.Signal() != syscall.SIGTERM {
			t.Errorf("%v", cmd.ProcessState)
		}
	})
}

func TestAReaderThatLeavesEndsTheCommand(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	eachWay(t, func(t *testing.T, how string) {
		t.Helper()
		script := `{ "$0" ` + how + ` yes; echo $? >status; } | head -n 1; cat status`
		cmd := exec.Command("bash", "-c", script, path)
		cmd.Dir = t.TempDir()
		out, err := cmd.CombinedOutput()
		if err != nil || strings.ToLower(string(out)) != "y\n141\n" {
			t.Errorf("%v, %q", err, out)
		}
	})
}

func TestOutputKeepsItsOrderAndPassesAtOnce(t *testing.T) {
	cmd := program(t, "run", "sh", "-c", "for i in 1 2 3 4 5; do echo out; echo err >&2; done")
	var both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &both, &both
	if err := cmd.Run(); err != nil || both.String() != strings.Repeat("OUT\nERR\n", 5) {
		t.Errorf("%v, %q", err, both.String())
	}
	cmd = program(t, "run", "sh", "-c", "printf first; read line; echo $line")
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 5)
	if _, err := io.ReadFull(out, first); err != nil || string(first) != "FIRST" {
		t.Errorf("%v, %q", err, first)
	}
	_, _ = io.WriteString(in, "second\n")
	rest, _ := io.ReadAll(out)
	if err := cmd.Wait(); err != nil || string(rest) != "SECOND\n" {
		t.Errorf("%v, %q", err, rest)
	}
}

func TestWhatACommandLeavesInTheBackgroundHoldsNobodyUp(t *testing.T) {
	cmd := program(t, "run", "sh", "-c",
		"(sleep 0.1; echo late; exec sleep 60 2>&-) & echo $!; exit 3")
	var out bytes.Buffer
	cmd.Stdout = &out
	began := time.Now()
	_ = cmd.Run()
	lines := strings.Fields(out.String())
	if len(lines) != 2 || lines[1] != "LATE" || cmd.ProcessState.ExitCode() != 3 ||
		time.Since(began) > 30*time.Second {
		t.Errorf("%v, %q", cmd.ProcessState, lines)
	}
	var pid int
	if _, err := fmt.Sscan(lines[0], &pid); err == nil {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}
