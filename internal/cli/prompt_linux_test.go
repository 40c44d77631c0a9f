package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/cli"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// A terminal is a pseudo-terminal that runs the program.
type terminal struct {
	t      *testing.T
	person *os.File // the end that types and sees
	stdin  *os.File // the program's end
	stdout bytes.Buffer
	stderr apptest.Buffer
	code   chan int
}

// typing runs the program on a new terminal.
func typing(ctx context.Context, t *testing.T, env map[string]string, args ...string) *terminal {
	t.Helper()
	term := &terminal{t: t, code: make(chan int, 1)}
	term.person, term.stdin = openTerminal(t)
	go func() {
		term.code <- cli.Main(ctx, args, lookup(env), term.stdin, &term.stdout, &term.stderr)
	}()
	return term
}

// openTerminal returns the two ends of a new terminal.
func openTerminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	open := func(path string) *os.File {
		f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	person = open("/dev/ptmx")
	fd := int(person.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	return person, open(fmt.Sprintf("/dev/pts/%d", n))
}

func (term *terminal) echoes() bool {
	term.t.Helper()
	state, err := unix.IoctlGetTermios(int(term.stdin.Fd()), unix.TCGETS)
	if err != nil {
		term.t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

// answer types a line when the program asks.
func (term *terminal) answer(prompt, line string, hidden bool) {
	term.t.Helper()
	for deadline := time.Now().Add(timeout); ; time.Sleep(time.Millisecond) {
		if strings.HasSuffix(term.stderr.String(), prompt) && term.echoes() != hidden {
			break
		}
		if time.Now().After(deadline) {
			term.t.Fatalf("the program does not ask %q but says %q", prompt, term.stderr.String())
		}
	}
	if _, err := term.person.WriteString(line); err != nil {
		term.t.Fatal(err)
	}
}

func (term *terminal) exits(code int) {
	term.t.Helper()
	select {
	case got := <-term.code:
		if got != code {
			term.t.Errorf("exit code %d, want %d: %q", got, code, term.stderr.String())
		}
	case <-time.After(timeout):
		term.t.Fatalf("the program does not end: %q", term.stderr.String())
	}
}

// showed returns how many bytes the terminal showed, once there are so many: the kernel takes its
// time to bring them there.
func (term *terminal) showed(atLeast int) int {
	term.t.Helper()
	for deadline := time.Now().Add(timeout); ; time.Sleep(time.Millisecond) {
		n, err := unix.IoctlGetInt(int(term.person.Fd()), unix.TIOCINQ)
		if err != nil {
			term.t.Fatal(err)
		}
		if n >= atLeast || time.Now().After(deadline) {
			return n
		}
	}
}

const typed = "correct-horse-battery-staple-of-nobody-789"

func TestATypedValueIsNotShown(t *testing.T) {
	srv := apptest.Start(t)
	term := typing(t.Context(), t, loginOf(srv), "secrets", "set", "TYPED")
	term.answer("Value (not shown): ", typed+"\n", true)
	term.exits(0)
	const hints = len("\x1b[?2004h\x1b[?2004l")
	if n := term.showed(hints); n != hints {
		t.Errorf("the terminal showed %d bytes", n)
	}
	if !strings.Contains(term.stdout.String(), "correc••••789\n") ||
		strings.Contains(term.stdout.String()+term.stderr.String(), "horse") {
		t.Errorf("the program printed %q and %q", term.stdout.String(), term.stderr.String())
	}
	if !term.echoes() {
		t.Error("the terminal does not echo any more")
	}
	if list, err := srv.Client(t).ListSecrets(t.Context()); err != nil || list.Total != 1 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestAnInterruptedPromptLeavesTheTerminalAsItWas(t *testing.T) {
	srv := apptest.Start(t)
	ctx, interrupt := context.WithCancel(t.Context())
	term := typing(ctx, t, loginOf(srv), "secrets", "set", "TYPED")
	term.answer("Value (not shown): ", "correct-ho", true)
	interrupt()
	term.exits(130)
	if !term.echoes() {
		t.Error("the terminal does not echo any more")
	}
	if !strings.HasSuffix(term.stderr.String(), "keysake: interrupted\n") {
		t.Errorf("it says %q", term.stderr.String())
	}
	if list, err := srv.Client(t).ListSecrets(t.Context()); err != nil || list.Total != 0 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestAPasteOfSeveralLinesIsTakenWhole(t *testing.T) {
	srv := apptest.Start(t)
	const begin, end = "\x1b[200~", "\x1b[201~"
	for name, c := range map[string]struct{ keys, mask string }{
		"ENDED":     {begin + "a line of nobody's words\rand another one\r" + end, "a line••••ne\\u000a"},
		"NOT_ENDED": {begin + "a line of nobody's words\r\nand another" + end, "a line••••her"},
		"ONE_LINE":  {begin + typed + "\r" + end, "correc••••789"},
		"LONG":      {begin + "begin" + strings.Repeat("x\r", 30_000) + "end" + end, "beginx••••end"},
		"AROUND":    {"corr" + begin + typed[4:20] + end + typed[20:], "correc••••789"},
		"CORRECTED": {"nonsense\x15cox\x7frrX\b" + typed[4:] + "\x1b[D", "correc••••789"},
	} {
		term := typing(t.Context(), t, loginOf(srv), "secrets", "set", name)
		term.answer("Value (not shown): ", c.keys+"\r", true)
		term.exits(0)
		if !strings.Contains(term.stdout.String(), c.mask+"\n") {
			t.Errorf("%s: it prints %q and %q", name, term.stdout.String(), term.stderr.String())
		}
	}
}

// What follows the first line must not get to the shell.
func TestSeveralLinesThatNothingMarksAreSwallowedAndRefused(t *testing.T) {
	srv := apptest.Start(t)
	for keys, want := range map[string]string{
		"a line\recho horse\rmore":         "several lines came without a mark",
		"-----BEGIN SOMETHING OF NOBODY\r": "several lines came without a mark",
		strings.Repeat("a", 65537):         "the value is too long",
	} {
		term := typing(t.Context(), t, loginOf(srv), "secrets", "set", "TYPED")
		term.answer("Value (not shown): ", keys, true)
		term.exits(1)
		if !strings.Contains(term.stderr.String(), want) {
			t.Errorf("it says %q", term.stderr.String())
		}
		if n, err := unix.IoctlGetInt(int(term.stdin.Fd()), unix.TIOCINQ); err != nil || n != 0 {
			t.Errorf("%d bytes are left: %v", n, err)
		}
	}
	if list, err := srv.Client(t).ListSecrets(t.Context()); err != nil || list.Total != 0 {
		t.Errorf("%v, %v", list, err)
	}
}

// A slow connection brings a paste in pieces.
func TestAPasteInPiecesThatNothingMarksIsSwallowedToo(t *testing.T) {
	srv := apptest.Start(t)
	for _, first := range []string{"a line of nobody's\r", "-----BEGIN SOMETHING\r", "a line of"} {
		term := typing(t.Context(), t, loginOf(srv), "secrets", "set", "TYPED")
		term.answer("Value (not shown): ", first, true)
		for _, piece := range []string{" words\rec", "ho horse", "\rand", " the end\r"} {
			time.Sleep(300 * time.Millisecond)
			if _, err := term.person.WriteString(piece); err != nil {
				t.Fatal(err)
			}
		}
		term.exits(1)
		if !strings.Contains(term.stderr.String(), "several lines came without a mark") {
			t.Errorf("it says %q", term.stderr.String())
		}
		if n, err := unix.IoctlGetInt(int(term.stdin.Fd()), unix.TIOCINQ); err != nil || n != 0 {
			t.Errorf("%d bytes are left: %v", n, err)
		}
	}
	if list, err := srv.Client(t).ListSecrets(t.Context()); err != nil || list.Total != 0 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestCtrlCAtAPromptEndsWith130(t *testing.T) {
	term := typing(t.Context(), t, loginOf(apptest.Start(t)), "secrets", "set", "TYPED")
	term.answer("Value (not shown): ", "correct-ho\x03", true)
	term.exits(130)
	if !term.echoes() || !strings.HasSuffix(term.stderr.String(), "\nkeysake: interrupted\n") {
		t.Errorf("it says %q", term.stderr.String())
	}
}

func TestOnlyAYesDeletes(t *testing.T) {
	srv := apptest.Start(t)
	c, env := srv.Client(t), loginOf(srv)
	in := wire.CreateSecret{Name: "MINE", Value: plaintext.FromString(typed)}
	if _, err := c.CreateSecret(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	const question = "Delete MINE (correc••••789) and all its values for good? [y/N] "
	for _, line := range []string{"\n", "n\n", "yesterday\n", "\x04", "y\necho horse\nmore\n"} {
		term := typing(t.Context(), t, env, "secrets", "delete", "MINE")
		term.answer(question, line, false)
		term.exits(1)
		if !strings.HasSuffix(term.stderr.String(), "not confirmed: nothing was changed\n") {
			t.Errorf("%q: it says %q", line, term.stderr.String())
		}
		if n, err := unix.IoctlGetInt(int(term.stdin.Fd()), unix.TIOCINQ); err != nil || n != 0 {
			t.Errorf("%q: %d bytes are left for the shell: %v", line, n, err)
		}
	}
	term := typing(t.Context(), t, env, "secrets", "delete", "MINE")
	term.answer(question, "Yes\n", false)
	term.exits(0)
	if term.showed(1) == 0 {
		t.Error("the terminal did not show the answer to a question")
	}
	if list, err := c.ListSecrets(t.Context()); err != nil || list.Total != 0 {
		t.Errorf("%v, %v", list, err)
	}
	user, err := c.CreateUser(t.Context(), wire.CreateUser{Username: "mia"})
	if err != nil {
		t.Fatal(err)
	}
	term = typing(t.Context(), t, env, "users", "delete", user.ID)
	term.answer("Delete the user mia and destroy 0 secrets for good? [y/N] ", "y\n", false)
	term.exits(0)
}
