package cli_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/cli"
	"github.com/keysake/keysake/wire"
)

// run runs the program in this process.
func run(
	t *testing.T, env map[string]string, stdin io.Reader, args ...string,
) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = cli.Main(t.Context(), args, lookup(env), stdin, &out, &errs)
	return code, out.String(), errs.String()
}

func lookup(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := env[name]; return v, ok }
}

// at returns the variables for a server that answers with h.
func at(t *testing.T, h http.HandlerFunc) map[string]string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return map[string]string{"KEYSAKE_URL": srv.URL, "KEYSAKE_API_KEY": "no-real-key"}
}

// loginOf returns the variables for the administrator of srv.
func loginOf(srv *apptest.Server) map[string]string {
	return map[string]string{"KEYSAKE_URL": srv.URL, "KEYSAKE_API_KEY": string(srv.Key.Reveal())}
}

// evil clears a terminal's screen, with ESC and with a one-character CSI, reverses text, and begins
// lines.
const evil = "a\x1b[2J\u009b2J\u202eb\r\nkeysake: c\u2028\x7f\U000e0001z"

func TestTextFromTheServerCannotControlTheTerminal(t *testing.T) {
	list := wire.SecretList{
		Secrets: []wire.Secret{{ID: evil, Name: evil, Provider: new(evil), MaskedValue: evil}},
		Total:   1,
	}
	env := at(t, func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(list)
	})
	code, out, _ := run(t, env, nil, "secrets", "list")
	assertSafe(t, out, 2)
	const shown = `a\u001b[2J\u009b2J\u202eb\u000d\u000akeysake: c\u2028\u007f\udb40\udc01z`
	if code != 0 || !strings.Contains(out, shown) {
		t.Errorf("exit code %d and %q", code, out)
	}

	code, out, _ = run(t, env, nil, "secrets", "list", "--json")
	assertSafe(t, out, 13)
	var got wire.SecretList
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 {
		t.Fatalf("exit code %d: %v", code, err)
	}
	if diff := cmp.Diff(list, got); diff != "" {
		t.Errorf("the JSON differs from the server's: %s", diff)
	}
}

func TestARefusalIsOneSafeLine(t *testing.T) {
	env := at(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnprocessableEntity)
		_ = json.NewEncoder(w).Encode(wire.Problem{
			Code:   422,
			Type:   "validation_error",
			Detail: evil,
			Errors: []wire.FieldError{
				{Loc: []any{"body", evil, 1}, Msg: evil},
				{Loc: []any{"body", "name"}, Msg: "m"},
			},
		})
	})
	code, out, errs := run(t, env, nil, "presets")
	assertSafe(t, errs, 1)
	if code != 1 || out != "" || !strings.HasSuffix(errs, "; name: m\n") {
		t.Errorf("exit code %d, %q and %q", code, out, errs)
	}
}

func assertSafe(t *testing.T, text string, lines int) {
	t.Helper()
	if n := strings.Count(text, "\n"); n != lines {
		t.Errorf("%d lines, want %d:\n%q", n, lines, text)
	}
	for _, r := range strings.ReplaceAll(text, "\n", "") {
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			t.Fatalf("%U reached the terminal", r)
		}
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	envelope := func(status int, detail string) string {
		return fmt.Sprintf(`{"code":%d,"detail":"%s","type":"x"}`, status, detail)
	}
	for _, c := range []struct {
		status int
		body   string
		code   int
		want   string
	}{
		{400, envelope(400, "Bad"), 1, "Bad"},
		{401, envelope(401, "Unknown key"), 4, `Unknown key: get an API key and run "keysake login"`},
		{403, envelope(403, "Not yours"), 4, "Not yours"},
		{426, envelope(426, "Too old"), 1, "Too old: install a newer keysake"},
		{429, envelope(429, "Too many"), 1, "Too many: try again in 3s"},
		{500, envelope(500, "Broken"), 1, "Broken: look for request r-1 in the server's log"},
		{502, "<html>", 1, "a response that is not from Keysake: Bad Gateway: look for request r-1 in the server's log"},
		{307, "", 1, `the server redirects to "https://elsewhere.example.org/": use the server's own address`},
		{200, "<html>", 1, "the response is not from Keysake: check the server's address"},
	} {
		env := at(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Request-Id", "r-1")
			w.Header().Set("Retry-After", "3")
			w.Header().Set("Location", "https://elsewhere.example.org/")
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		})
		code, out, errs := run(t, env, nil, "secrets", "list")
		if code != c.code || out != "" || errs != "keysake: "+c.want+"\n" {
			t.Errorf("%d: exit code %d, %q and %q", c.status, code, out, errs)
		}
	}
}

func TestAServerThatIsTooOldForSealingIsNamedWithTheWayOut(t *testing.T) {
	env := at(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"code":404,"detail":"Not found","type":"not_found_error"}`)
	})
	const want = "keysake: the server is too old for sealed requests, so nothing was sent: " +
		"update it, or send values as they are with --no-sealing\n"
	code, _, errs := run(t, env, strings.NewReader("a value of nobody"), "secrets", "set", "A")
	if code != 1 || errs != want {
		t.Errorf("exit code %d and %q", code, errs)
	}
}

func TestWhatIsSafeIsSentAgainAsTheServerSays(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		args   string
		tries  int // 2 if it is sent again
	}{
		{"a limit", 429, "presets", 2},
		{"a limit on a change", 429, "--no-sealing secrets set A", 2},
		{"a server that starts", 503, "presets", 2},
		{"a change that may have been done", 503, "--no-sealing secrets set A", 1},
	} {
		tries := 0
		env := at(t, func(w http.ResponseWriter, _ *http.Request) {
			if tries++; tries == 1 {
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, `{"code":0,"detail":"Not now","type":"x"}`)
				return
			}
			_, _ = io.WriteString(w, "{}")
		})
		began := time.Now()
		code, _, errs := run(t, env, strings.NewReader("a value"), strings.Fields(c.args)...)
		if tries != c.tries || (code == 0) != (c.tries == 2) {
			t.Errorf("%s: tried %d times, exit code %d and %q", c.name, tries, code, errs)
		}
		if c.tries == 2 && time.Since(began) < time.Second {
			t.Errorf("%s: it did not wait", c.name)
		}
	}
}

func TestAServerThatAsksForMorePatienceThanAPersonHasIsReported(t *testing.T) {
	env := at(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, `{"code":429,"detail":"Too many requests","type":"x"}`)
	})
	code, _, errs := run(t, env, nil, "presets")
	if code != 1 || errs != "keysake: Too many requests: try again in 1m0s\n" {
		t.Errorf("exit code %d and %q", code, errs)
	}
}

// fullDisk is a standard output on a full disk.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestAKeyThatCouldNotBePrintedIsAnErrorThatNamesIt(t *testing.T) {
	srv := apptest.Start(t)
	env := loginOf(srv)
	var errs bytes.Buffer
	args := []string{"api-keys", "create", "--name", "lost"}
	code := cli.Main(t.Context(), args, lookup(env), nil, fullDisk{}, &errs)
	keys, err := srv.Client(t).ListAPIKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hint := "could not be printed: revoke " + keys.APIKeys[0].ID
	if said := errs.String(); code != 1 || !strings.Contains(said, hint) ||
		strings.Contains(said, "ksk_") {
		t.Errorf("exit code %d and %q", code, said)
	}
}

func TestAValueThatCannotBeReadIsNotStored(t *testing.T) {
	env := at(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
	broken := io.MultiReader(strings.NewReader("half a val"),
		iotest.ErrReader(errors.New("broken pipe")))
	code, _, errs := run(t, env, broken, "secrets", "set", "NAME")
	if code != 1 || !strings.Contains(errs, "read the value: broken pipe") ||
		strings.Contains(errs, "half") {
		t.Errorf("exit code %d and %q", code, errs)
	}
}

func TestHelpNeedsNoEnvironmentAndNoServer(t *testing.T) {
	for _, args := range []string{"presets --help", "serve --help", "help secrets set"} {
		code, out, errs := run(t, nil, nil, strings.Fields(args)...)
		if code != 0 || errs != "" || !strings.Contains(out, "Examples:") {
			t.Errorf("%s: exit code %d, %q and %q", args, code, out, errs)
		}
	}
}

func TestEveryCommandHasATextAndAnExample(t *testing.T) {
	_, page, _ := run(t, nil, nil, "docs", "cli")
	sections := strings.Split(page, "\n## ")[1:]
	if len(sections) < 20 {
		t.Fatalf("the reference has %d commands", len(sections))
	}
	for _, s := range sections {
		name, rest, _ := strings.Cut(s, "\n")
		if !strings.Contains(rest, "Examples:\n  keysake") ||
			strings.HasPrefix(rest, "\n```text\n\n") {
			t.Errorf("%s has no example or no text", name)
		}
		_, help, _ := run(t, nil, nil, append(strings.Fields(name)[1:], "--help")...)
		for line := range strings.SplitSeq(help, "\n") {
			if utf8.RuneCountInString(line) > 80 {
				t.Errorf("%s has a line that a terminal breaks: %s", name, line)
			}
		}
	}
}
