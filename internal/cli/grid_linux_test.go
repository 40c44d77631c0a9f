package cli_test

import (
	"bytes"
	"maps"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/cli"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// screen runs the program with its standard output on a terminal of 80 columns, and returns what
// that shows.
func screen(t *testing.T, env map[string]string, args ...string) string {
	t.Helper()
	const end = "\x00"
	person, program := openTerminal(t)
	apptest.Must(t, unix.IoctlSetWinsize(int(person.Fd()), unix.TIOCSWINSZ,
		&unix.Winsize{Row: 24, Col: 80}))
	seen := make(chan string)
	go func() {
		var all []byte
		buf := make([]byte, 4096)
		for !bytes.HasSuffix(all, []byte(end)) {
			n, err := person.Read(buf)
			if err != nil {
				break
			}
			all = append(all, buf[:n]...)
		}
		seen <- strings.ReplaceAll(strings.TrimSuffix(string(all), end), "\r\n", "\n")
	}()
	var errs bytes.Buffer
	if code := cli.Main(t.Context(), args, lookup(env), nil, program, &errs); code != 0 {
		t.Errorf("%q: exit code %d and %q", args, code, errs.String())
	}
	_, err := program.WriteString(end)
	apptest.Must(t, err)
	return <-seen
}

// crowd makes things with names as long as they may be, and returns the id of a lease.
func crowd(t *testing.T, srv *apptest.Server) string {
	t.Helper()
	ctx, c := t.Context(), srv.Client(t)
	name := strings.Repeat("A_LONG_NAME_", 8) + "OF_A_SECRET"
	made, err := c.CreateSecret(ctx, wire.CreateSecret{
		Name: name, Value: plaintext.FromString(typed),
	})
	apptest.Must(t, err)
	_, err = c.UpdateSecret(ctx, made.ID, wire.UpdateSecret{Value: plaintext.FromString("another")})
	apptest.Must(t, err)
	label := strings.Repeat("a label of words ", 7)[:118]
	for range 2 {
		_, err = c.CreateAPIKey(ctx, wire.CreateAPIKey{
			Name:      new("a-name-" + strings.Repeat("of-hyphens-", 8)),
			ExpiresAt: &wire.Timestamp{Time: made.CreatedAt.AddDate(1, 0, 0)},
		})
		apptest.Must(t, err)
	}
	user, err := c.CreateUser(ctx, wire.CreateUser{
		Username:     "somebody-" + strings.Repeat("x", 40),
		EmailAddress: new(strings.Repeat("somebody", 6) + "@example.org"),
	})
	apptest.Must(t, err)
	apptest.Must(t, c.DeleteUser(ctx, user.ID))
	lease, err := c.CreateLease(ctx, wire.CreateLease{
		SecretIDs: []string{made.ID}, Delivery: wire.DeliveryTicket,
		Run: &wire.Run{ID: &label, Label: &label},
	})
	apptest.Must(t, err)
	return lease.ID
}

var (
	anyID   = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	anyTime = regexp.MustCompile(`\d\d:\d\d:\d\dZ`)
)

func TestEveryListFitsATerminalAndLosesNothing(t *testing.T) {
	srv := apptest.Start(t)
	lease := crowd(t, srv)
	env := loginOf(srv)
	for _, line := range []string{
		"secrets list", "secrets versions " + strings.Repeat("A_LONG_NAME_", 8) + "OF_A_SECRET",
		"api-keys list", "users list", "lease list", "lease show " + lease, "audit list",
		"presets", "whoami", "run --all --print",
	} {
		args := strings.Fields(line)
		shown := screen(t, env, args...)
		for row := range strings.SplitSeq(shown, "\n") {
			row = strings.NewReplacer("\x1b[1m", "", "\x1b[0m", "").Replace(row)
			if n := utf8.RuneCountInString(row); n > 80 {
				t.Errorf("%s: %d columns: %s", line, n, row)
			}
		}
		if strings.HasPrefix(line, "lease") && !strings.Contains(shown, lease) ||
			line == "api-keys list" && len(anyID.FindAllString(shown, -1)) != 3 {
			t.Errorf("%s: an id that is needed is not shown: %s", line, shown)
		}
		_, piped, _ := run(t, env, nil, args...)
		piped = anyID.ReplaceAllString(piped, "")
		// The command itself uses the API key: between the two runs a second may have passed.
		const aTime = "00:00:00Z"
		shown = anyTime.ReplaceAllString(shown, aTime)
		piped = anyTime.ReplaceAllString(piped, aTime)
		for _, word := range regexp.MustCompile(`[^ \n_,@/-]+`).FindAllString(piped, -1) {
			whole := utf8.RuneCountInString(word) <= 12 && word != "ID"
			if whole && !strings.Contains(shown, word) {
				t.Errorf("%s: %q is not shown", line, word)
			}
		}
	}
}

func TestColoursAreForTerminalsThatWantThem(t *testing.T) {
	env := loginOf(apptest.Start(t))
	const bold = "\x1b[1mPROVIDER"
	for _, c := range []struct {
		name, value string
		want        bool
	}{
		{"NO_COLOR", "", true},
		{"NO_COLOR", "1", false},
		{"NO_COLOR", "0", false},
		{"TERM", "dumb", false},
		{"TERM", "xterm", true},
	} {
		with := maps.Clone(env)
		with[c.name] = c.value
		shown := screen(t, with, "presets")
		if strings.HasPrefix(shown, bold) != c.want || strings.Contains(shown, "\x1b") != c.want {
			t.Errorf("%s=%s: it shows %q", c.name, c.value, shown)
		}
	}
	if _, piped, _ := run(t, env, nil, "presets"); strings.Contains(piped, "\x1b") {
		t.Errorf("a pipe gets %q", piped)
	}
}
