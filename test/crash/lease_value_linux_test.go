package crash_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// A running is a command that "keysake run" started, which waits for a line.
type running struct {
	t     *testing.T
	cmd   *exec.Cmd
	input io.WriteCloser
	out   apptest.Buffer
	all   apptest.Buffer // what it wrote anywhere
	ended bool
}

// run has the command show its environment in a file, and wait.
func run(t *testing.T, p *process, env []string, flags ...string) *running {
	t.Helper()
	shown := filepath.Join(t.TempDir(), "shown")
	args := append(append([]string{"run"}, flags...), "--", "sh", "-c",
		`cat /proc/$$/environ > "$0"; printf 'ready\n'; read line; printf '%s\n' "$ONE"`, shown)
	r := &running{t: t, cmd: exec.Command(program, args...)}
	r.cmd.Env = append([]string{
		"KEYSAKE_URL=" + p.url, "HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"),
	}, env...)
	r.cmd.Stdout, r.cmd.Stderr = io.MultiWriter(&r.out, &r.all), &r.all
	var err error
	if r.input, err = r.cmd.StdinPipe(); err == nil {
		err = r.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.end)
	p.until("runs a command", func() bool { return strings.Contains(r.out.String(), "ready\n") })
	environ, err := os.ReadFile(shown)
	if err != nil || !bytes.Contains(environ, []byte("\x00ONE=")) || // the search would find it
		bytes.Contains(environ, []byte("KEYSAKE_TICKET")) {
		t.Errorf("the environment of the command: %v", err)
	}
	return r
}

func (r *running) end() {
	if r.ended {
		return
	}
	r.ended = true
	_ = r.input.Close() // the command reads its end
	if err := r.cmd.Wait(); err != nil {
		r.t.Errorf("%v: %s", err, r.all.String())
	}
}

// processes returns what every process but the command shows of itself: the arguments and the
// environment that it was started with.
func (r *running) processes() map[string][]byte {
	r.t.Helper()
	found, keysakes := map[string][]byte{}, 0
	paths, err := filepath.Glob("/proc/[0-9]*")
	if err != nil || len(paths) == 0 {
		r.t.Fatalf("no processes: %v", err)
	}
	for _, path := range paths {
		arguments, err := os.ReadFile(filepath.Join(path, "cmdline"))
		if err != nil {
			continue // it has ended
		}
		environ, _ := os.ReadFile(filepath.Join(path, "environ")) // root reads it
		pid := filepath.Base(path)
		if bytes.Contains(arguments, []byte("printf 'ready")) && !r.isKeysake(pid) {
			environ = nil // the command itself
		}
		if r.isKeysake(pid) && bytes.Contains(environ, []byte("HOME=")) {
			keysakes++
		}
		found[fmt.Sprintf("process %s (%.20q)", pid, arguments)] = append(arguments, environ...)
	}
	if keysakes < 3 && os.Geteuid() == 0 {
		r.t.Errorf("the environments of %d servers and clients were searched", keysakes)
	}
	return found
}

func (r *running) isKeysake(pid string) bool {
	target, _ := os.Readlink(filepath.Join("/proc", pid, "exe"))
	return target == program
}

func TestNothingOfAValueOrTicketLeavesALeaseButForItsCommand(t *testing.T) {
	t.Parallel()
	random, data, admin := newRandom(t), newData(t), freeAddress(t)
	p := start(t, data, "--log-level", "debug", "--log-format", "json", "--admin-listen", admin)
	hidden := newNeedles()
	value := text(random, 60)
	hidden.addText("the value", value)
	l := newLibrary(p, "somebody")
	hideKey(hidden, "the API key", l.key)
	c := p.client(l.key)
	made, err := c.CreateSecret(t.Context(),
		wire.CreateSecret{Name: "ONE", Value: plaintext.FromString(value)})
	if err != nil {
		t.Fatal(err)
	}
	ticket := func() string {
		lease, err := c.CreateLease(t.Context(), wire.CreateLease{
			SecretIDs: []string{made.ID}, Delivery: wire.DeliveryTicket,
		})
		if err != nil {
			t.Fatal(err)
		}
		hidden.addText("a ticket", lease.Ticket[4:]) // and not its prefix
		return lease.Ticket
	}
	file := func(name, content string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	keyFile := "KEYSAKE_API_KEY_FILE=" + file("key", string(l.key.Reveal()))
	commands := []*running{
		run(t, p, []string{keyFile}, "-s", "ONE", "--no-mask"), // becomes the command
		run(t, p, []string{keyFile}, "-s", "ONE", "--mask"),
		run(t, p, nil, "--ticket-file", file("ticket", ticket())),
	}
	used := ticket()
	fromEnvironment := run(t, p, []string{"KEYSAKE_TICKET=" + used}, "--mask")
	fromEnvironment.end()
	unused := ticket()
	answers := readLeases(t, p, c, made.ID)
	for _, r := range commands {
		for name, shown := range r.processes() {
			report(t, "in "+name, hidden.in(shown), 1)
		}
	}
	for i, r := range append(commands, fromEnvironment) {
		r.end()
		shown := r.all.String()
		if i == 0 {
			shown = strings.Replace(shown, value, "", 1) // nothing stands between
		}
		report(t, "in what a command wrote", hidden.in([]byte(shown)), len(shown))
	}
	if status(second(c.RedeemTicket(t.Context(), plaintext.FromString(used),
		wire.RedeemTicket{Recipient: "x25519:AAAA"}))) < 400 || unused == used {
		t.Error("a ticket was redeemed twice")
	}
	report(t, "in the answers", hidden.in(answers), len(answers))
	search := func(when string) {
		for name, content := range files(t, data) {
			report(t, when+", in "+name, hidden.in(content), 1)
		}
		report(t, when+", in the log", hidden.in([]byte(p.logs.String())), len(p.logs.String()))
	}
	search("while the server runs")
	metrics, err := http.Get("http://" + admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer metrics.Body.Close()
	page, err := io.ReadAll(metrics.Body)
	if err != nil || !bytes.Contains(page, []byte("keysake_leases_")) {
		t.Errorf("the metrics: %v", err)
	}
	report(t, "in the metrics", hidden.in(page), len(page))
	p.stop()
	search("after the server stopped")
}

// readLeases returns everything that the API tells of leases.
func readLeases(t *testing.T, p *process, c *client.Client, secret string) []byte {
	t.Helper()
	var all bytes.Buffer
	list, err := c.ListLeases(t.Context(), client.LeaseFilter{})
	if err != nil || len(list.Leases) < 5 {
		t.Fatalf("%d leases: %v", len(list.Leases), err)
	}
	fmt.Fprintf(&all, "%+v", list)
	for _, lease := range list.Leases {
		one, err := c.GetLease(t.Context(), lease.ID)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&all, "%+v", one)
	}
	usage, err := c.SecretUsage(t.Context(), secret)
	if err != nil {
		t.Fatal(err)
	}
	log, err := c.ListAudit(t.Context(), client.AuditFilter{})
	if err != nil || len(log.Entries) < 8 {
		t.Fatalf("%d entries: %v", len(log.Entries), err)
	}
	fmt.Fprintf(&all, "%+v %+v %s", usage, log, strconv.Quote(p.out.String()))
	return all.Bytes()
}

func second[A, B any](_ A, b B) B { return b }
