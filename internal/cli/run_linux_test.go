package cli_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/keysake/keysake/bundle"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// A leaseServer grants leases of some values as the real server does, or worse. It knows one user
// and one ticket, good once.
type leaseServer struct {
	*httptest.Server
	values   map[string]string
	sealing  *bundle.Key
	mutex    sync.Mutex
	leases   int
	redeemed bool
	lie      func(*wire.Lease, *bundle.Payload) // changes what is answered
	brokerSide
}

const goodTicket = "kst_" + "good"

func serveLeases(t *testing.T, values map[string]string) *leaseServer {
	t.Helper()
	key, err := bundle.NewKey(bundle.XWing)
	if err != nil {
		t.Fatal(err)
	}
	s := &leaseServer{values: values, sealing: key, lie: func(*wire.Lease, *bundle.Payload) {}}
	s.Server = httptest.NewUnstartedServer(s)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// change changes what is answered from now on.
func (s *leaseServer) change(how func()) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	how()
}

func (s *leaseServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	refuse := func(status int, detail string) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(wire.Problem{Code: status, Detail: detail, Type: "error"})
	}
	var in struct {
		Recipient string   `json:"recipient"`
		SecretIDs []string `json:"secret_ids"`
		Delivery  string   `json:"delivery"`
		Broker    *wire.BrokerLimits
	}
	if s.asBroker(w, r) {
		return
	}
	if r.Method == http.MethodPost {
		_ = json.Unmarshal(s.unseal(r), &in)
	}
	switch r.Method + " " + r.URL.Path {
	case "GET /api/v1/sealing-key":
		_ = json.NewEncoder(w).Encode(wire.SealingKey{
			ID: "one", Recipient: s.sealing.Recipient().String(), Server: idOf("server").String(),
			ExpiresAt: time.Now().Add(time.Hour),
		})
	case "GET /api/v1/user/secrets":
		_ = json.NewEncoder(w).Encode(s.list())
	case "POST /api/v1/user/leases":
		s.leases++
		if s.limits = in.Broker; in.Delivery == wire.DeliveryBroker {
			_ = json.NewEncoder(w).Encode(s.brokered(in.SecretIDs))
		} else {
			_ = json.NewEncoder(w).Encode(s.lease(in.Recipient, in.SecretIDs))
		}
	case "DELETE /api/v1/user/leases/" + idOf("lease").String():
		s.revoked++
		_ = json.NewEncoder(w).Encode(wire.RevokedLease{})
	case "POST /api/v1/leases/redeem":
		switch {
		case r.Header.Get("Authorization") != "Bearer "+goodTicket:
			refuse(401, "Unknown")
		case s.redeemed:
			refuse(409, "This ticket was redeemed before")
		default:
			s.redeemed = true
			_ = json.NewEncoder(w).Encode(s.lease(in.Recipient, nil))
		}
	default:
		refuse(404, "Nothing here")
	}
}

// unseal returns the body of a request.
func (s *leaseServer) unseal(r *http.Request) []byte {
	var body struct{ Sealed []byte }
	_ = json.NewDecoder(r.Body).Decode(&body)
	credential := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	plain, err := bundle.OpenRequest(s.sealing, bundle.Request{
		Server: idOf("server"), Method: r.Method, Target: r.URL.Path,
		Credential: sha256.Sum256([]byte(credential)),
	}, body.Sealed)
	if err != nil {
		panic(err)
	}
	return plain
}

func idOf(name string) uuid.UUID { return uuid.NewSHA1(uuid.Nil, []byte(name)) }

func (s *leaseServer) list() (list wire.SecretList) {
	for name := range s.values {
		list.Secrets = append(list.Secrets, wire.Secret{
			ID: idOf(name).String(), Name: name, MaskedValue: "••••",
		})
	}
	return list
}

// lease seals the values of these ids, or all.
func (s *leaseServer) lease(to string, ids []string) wire.Lease {
	recipient, err := bundle.ParseRecipient(to)
	if err != nil {
		panic(err)
	}
	made := wire.Lease{ID: idOf("lease").String(), Delivery: wire.DeliveryBundle}
	payload := bundle.Payload{ExpiresAt: time.Now().Add(time.Hour)}
	for name, value := range s.values {
		if id := idOf(name); ids == nil || slices.Contains(ids, id.String()) {
			payload.Secrets = append(payload.Secrets, bundle.Secret{
				ID: id, Name: name, Version: 1, Value: plaintext.FromString(value),
			})
		}
	}
	made.Bundle = &wire.Bundle{Server: idOf("server").String(), Lease: made.ID}
	s.lie(&made, &payload)
	made.Bundle.Sealed, err = bundle.Seal(recipient, bundle.Binding{
		Server: idOf("server"), Lease: idOf("lease"), Purpose: bundle.PurposeEnv,
	}, payload)
	if err != nil {
		panic(err)
	}
	return made
}

// keysake is the program, logged in to this server, in a folder of its own.
func (s *leaseServer) keysake(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Args[0] = "keysake" // makes the test's binary run the program
	cmd.Dir = t.TempDir()
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir, "KEYSAKE_URL=" + s.URL,
		"KEYSAKE_API_KEY=no-real-key", "OUTSIDE=yes",
	}
	return cmd
}

// outcome runs a program and returns its exit code and what it wrote.
func outcome(cmd *exec.Cmd) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run()
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// environment runs "run" with these flags, and returns the environment that the command gets.
func (s *leaseServer) environment(
	t *testing.T, change func(*exec.Cmd), flags ...string,
) map[string]string {
	t.Helper()
	args := slices.Concat([]string{"run", "--no-mask"}, flags, []string{"--", "env", "-0"})
	cmd := s.keysake(t, args...)
	if change != nil {
		change(cmd)
	}
	code, out, errs := outcome(cmd)
	if code != 0 {
		t.Fatalf("exit code %d and %q", code, errs)
	}
	env := map[string]string{}
	for entry := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		name, value, _ := strings.Cut(entry, "=")
		env[name] = value
	}
	return env
}

func TestACommandGetsTheChosenSecretsAndNoKeyForMore(t *testing.T) {
	s := serveLeases(t, map[string]string{
		"GITHUB_TOKEN": "gh", "OPENAI_API_KEY": "ai", "AWS_ONE": "1", "AWS_TWO": "2", "own_2": "o",
	})
	all := map[string]string{
		"GITHUB_TOKEN": "gh", "GH_TOKEN": "gh", "OPENAI_API_KEY": "ai", "AWS_ONE": "1",
		"AWS_TWO": "2", "own_2": "o",
	}
	for flags, want := range map[string]map[string]string{
		"--secret own_2":                           {"own_2": "o"},
		"-s AWS_* -s AWS_ONE --secret own_?":       {"AWS_ONE": "1", "AWS_TWO": "2", "own_2": "o"},
		"-s " + idOf("AWS_ONE").String():           {"AWS_ONE": "1"},
		"--preset openai":                          {"OPENAI_API_KEY": "ai"},
		"--all":                                    all,
		"-s GITHUB_TOKEN --no-aliases":             {"GITHUB_TOKEN": "gh"},
		"-s own_2 --map own_2=TWO":                 {"TWO": "o"},
		"-s own_2 -s AWS_ONE --prefix P_":          {"P_own_2": "o", "P_AWS_ONE": "1"},
		"-s NOTHING_* -s own_2":                    {"own_2": "o"},
		"-s own_2 --ttl 10m --label nightly_build": {"own_2": "o"},
	} {
		got := s.environment(t, nil, strings.Fields(flags)...)
		want["OUTSIDE"], want["KEYSAKE_URL"] = "yes", s.URL
		delete(got, "PATH")
		delete(got, "HOME")
		if !cmp.Equal(got, want) {
			t.Errorf("%s: %s", flags, cmp.Diff(want, got))
		}
	}
}

func TestWhatIsSetIsReplacedOrKeptAndThatIsSaidOnce(t *testing.T) {
	s := serveLeases(t, map[string]string{"ONE": "new-1", "TWO": "new-2", "SAME": "same"})
	for flag, want := range map[string]string{
		"--secret=ONE":      "new-1 new-2\nkeysake",
		"--keep-existing":   "old-1 new-2\n",
		"--clean-env":       "new-1 new-2\n",
		"--prefix=OTHER_":   "old-1 \n",
		"--map=ONE=ANOTHER": "old-1 new-2\n",
	} {
		cmd := s.keysake(t, "run", "--all", flag, "--", "sh", "-c", "echo $ONE $TWO")
		cmd.Env = append(cmd.Env, "ONE=old-1", "SAME=same")
		code, out, errs := outcome(cmd)
		text, said := strings.TrimSuffix(want, "keysake"), map[string]string{
			"--secret=ONE":    "Replaced in the environment: ONE (--keep-existing keeps what is set).\n",
			"--keep-existing": "Kept as they are set: ONE.\n",
		}[flag]
		if code != 0 || strings.TrimSpace(out) != strings.TrimSpace(text) || errs != said {
			t.Errorf("%s: exit code %d, %q and %q", flag, code, out, errs)
		}
	}
	env := s.environment(t, nil, "--all", "--clean-env")
	if _, outside := env["OUTSIDE"]; outside || env["PATH"] == "" || env["HOME"] == "" {
		t.Errorf("a clean environment is %q", env)
	}
}

func TestWhatIsWrongIsOneLineAndTheCommandIsNotStarted(t *testing.T) {
	s := serveLeases(t, map[string]string{"ONE": "value-of-one", "TWO": "value-of-two"})
	garbage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("<html>hello"))
	}))
	defer garbage.Close()
	at := func(url string) string { return "KEYSAKE_URL=" + url }
	for _, c := range []struct {
		flags, env string
		code       int
		want       string
	}{
		{"--secret THREE", "", 1, "THREE is none of your secrets"},
		{"--secret secret-value", "", 1, "--secret number 1 is none of your secrets"},
		{"--secret [", "", 2, "--secret number 1 is not a pattern"},
		{"--preset openai", "", 1, "you have no secret of OpenAI"},
		{"--preset nobody", "", 2, "no such provider"},
		{"", "", 2, "which secrets?"},
		{"--secret ONE --map TWO=X", "", 1, "--map: TWO is not among"},
		{"--secret ONE --map ONE", "", 2, "--map needs"},
		{"--secret ONE --map ONE=LD_PRELOAD", "", 1, "variable: Name is reserved: a variable of this name changes"},
		{"--all --map ONE=TWO", "", 1, "ONE and TWO would both become TWO"},
		{"--secret ONE --prefix =", "", 1, "ONE cannot become another variable"},
		{"--file ONE=/proc/x", "", 1, "would be on a disk"},
		{"--file ONE=", "", 2, "--file needs"},
		{"--file THREE", "", 1, "--file: THREE is none of your secrets"},
		{"--env-file /no/such/file", "", 1, "--env-file: open /no/such/file"},
		{"--secret ONE --mask --no-mask", "", 2, "mask"},
		{"--secret ONE --ttl x", "", 2, "--ttl"},
		{"--secret ONE", at("http://127.0.0.1:1"), 1, "cannot reach the server at http://127.0.0.1:1"},
		{"--secret ONE", at(garbage.URL), 1, "the response is not from Keysake"},
		{"--ticket-file /no/such/file", "", 1, "--ticket-file: open /no/such/file"},
		{"--secret ONE", "KEYSAKE_TICKET=kst_x", 2, "a ticket says which secrets there are"},
		{"", "KEYSAKE_TICKET=kst_x", 4, "the ticket is unknown, expired or revoked"},
		{"--file THREE", "KEYSAKE_TICKET=" + goodTicket, 1, "the ticket has no secret THREE"},
		{"", "KEYSAKE_TICKET=" + goodTicket, 1, "This ticket was redeemed before"},
	} {
		cmd := s.keysake(t, strings.Fields("run "+c.flags+" -- touch started")...)
		if c.env != "" {
			cmd.Env = append(cmd.Env, c.env)
		}
		code, out, errs := outcome(cmd)
		_, failed := os.Stat(filepath.Join(cmd.Dir, "started"))
		if code != c.code || out != "" || failed == nil || strings.Count(errs, "\n") != 1 ||
			!strings.Contains(errs, c.want) || strings.Contains(errs, "secret-value") {
			t.Errorf("%s %s: exit code %d, %q and %q", c.flags, c.env, code, out, errs)
		}
	}
	if s.leases != 0 {
		t.Errorf("%d leases were taken", s.leases)
	}
}

func TestAMissingCommandTakesNoLease(t *testing.T) {
	s := serveLeases(t, map[string]string{"ONE": "value-of-one"})
	for command, want := range map[string]int{
		"no-such-command": 127, "/": 126, "/etc/passwd": 126,
	} {
		code, out, errs := outcome(s.keysake(t, "run", "--all", "--", command))
		if code != want || out != "" || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: exit code %d, %q and %q", command, code, out, errs)
		}
	}
	if s.leases != 0 {
		t.Errorf("%d leases were taken", s.leases)
	}
}

func TestAServerThatAnswersSomethingElseIsNotBelieved(t *testing.T) {
	for name, lie := range map[string]func(*wire.Lease, *bundle.Payload){
		"no bundle":       func(l *wire.Lease, _ *bundle.Payload) { l.Bundle = &wire.Bundle{} },
		"another lease":   func(l *wire.Lease, _ *bundle.Payload) { l.ID = idOf("other").String() },
		"another server":  func(l *wire.Lease, _ *bundle.Payload) { l.Bundle.Server = idOf("x").String() },
		"another name":    func(_ *wire.Lease, p *bundle.Payload) { p.Secrets[0].Name = "OTHER" },
		"a reserved name": func(_ *wire.Lease, p *bundle.Payload) { p.Secrets[0].Name = "LD_PRELOAD" },
		"one secret more": func(_ *wire.Lease, p *bundle.Payload) {
			p.Secrets = append(p.Secrets, bundle.Secret{Name: "MORE", Version: 1})
		},
	} {
		s := serveLeases(t, map[string]string{"ONE": "value-of-one"})
		s.change(func() { s.lie = lie })
		cmd := s.keysake(t, "run", "--all", "--", "touch", "started")
		code, out, errs := outcome(cmd)
		_, failed := os.Stat(filepath.Join(cmd.Dir, "started"))
		if code != 1 || out != "" || failed == nil || strings.Count(errs, "\n") != 1 ||
			!strings.HasPrefix(errs, "keysake: the server's answer has ") {
			t.Errorf("%s: exit code %d, %q and %q", name, code, out, errs)
		}
	}
}

func TestATicketNeedsNoAPIKeyAndIsNotHandedOn(t *testing.T) {
	for _, way := range []string{"file", "variable"} {
		s := serveLeases(t, map[string]string{"GITHUB_TOKEN": "gh"})
		var flags []string
		got := s.environment(t, func(cmd *exec.Cmd) {
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "KEYSAKE_URL=" + s.URL}
			if way == "variable" {
				cmd.Env = append(cmd.Env, "KEYSAKE_TICKET="+goodTicket+"\n")
				return
			}
			path := filepath.Join(cmd.Dir, "ticket")
			if err := os.WriteFile(path, []byte(goodTicket+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd.Args = slices.Insert(cmd.Args, 2, "--ticket-file", path)
		}, flags...)
		delete(got, "PATH")
		want := map[string]string{"GITHUB_TOKEN": "gh", "GH_TOKEN": "gh", "KEYSAKE_URL": s.URL}
		if !cmp.Equal(got, want) {
			t.Errorf("%s: %s", way, cmp.Diff(want, got))
		}
	}
}

func TestEveryValueArrivesByteForByte(t *testing.T) {
	hard := map[string]string{
		"NEWLINES": "one\ntwo\n\n", "QUOTES": `'"` + "`", "DOLLAR": "$2a$10$HOME ${x} $(id)",
		"DASH": "--help", "EMOJI": "🔑é", "CR": "a\rb", "EQUALS": "a=b==", "EMPTY": "",
		"ESC": "\x1b[0m", "PERCENT": "%s%n", "BACKSLASH": `\n\0\\`, "SPACE": "  \t ",
	}
	s := serveLeases(t, hard)
	got := s.environment(t, nil, "--all")
	for name, want := range hard {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
	rapid.Check(t, func(r *rapid.T) {
		value := rapid.StringOf(rapid.Rune().Filter(func(r rune) bool { return r != 0 }))
		values := rapid.MapOfN(rapid.StringMatching(`X[A-Z]{1,5}`), value, 1, 50).
			Draw(r, "values")
		s.change(func() { s.values = values })
		got := s.environment(t, nil, "--all")
		for name, want := range values {
			if got[name] != want {
				r.Fatalf("%s: %q, want %q", name, got[name], want)
			}
		}
	})
}

func TestFiftySecretsAreGivenAndMoreAreRefused(t *testing.T) {
	values := map[string]string{}
	for i := range 50 {
		values[fmt.Sprintf("SECRET_%d", i)] = strings.Repeat("x", 1000)
	}
	s := serveLeases(t, values)
	if got := s.environment(t, nil, "--all"); len(got) < 50 {
		t.Errorf("%d variables", len(got))
	}
	// All of them together are more than the system takes.
	s.change(func() {
		for name := range values {
			values[name] = strings.Repeat("x", 64<<10)
		}
	})
	code, _, errs := outcome(s.keysake(t, "run", "--all", "--no-mask", "--", "true"))
	if code != 126 || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, "too large") {
		t.Errorf("too much: exit code %d and %q", code, errs)
	}
	s.change(func() { values["ONE_MORE"] = "x" })
	code, _, errs = outcome(s.keysake(t, "run", "--all", "--", "true"))
	if code != 1 || !strings.Contains(errs, "at most 50") {
		t.Errorf("51 secrets: exit code %d and %q", code, errs)
	}
}

func TestOutputThatIsNoTerminalIsMasked(t *testing.T) {
	const value = "correct-horse-battery-staple"
	s := serveLeases(t, map[string]string{"LONG": value, "SHORT": "seven77"})
	script := `printf '%s\n' "$LONG" "$SHORT"; printf %s "$LONG" | base64; echo "x$LONG" >&2
		for c in $(printf %s "$LONG" | sed 's/./& /g'); do printf %s "$c"; sleep 0.002; done`
	for flag, want := range map[string]string{
		"--all":     "correc••••ple\nseven77\ncorrec••••ple\ncorrec••••ple|xcorrec••••ple\n",
		"--no-mask": value + "\nseven77\nY29ycmVjdC1ob3JzZS1iYXR0ZXJ5LXN0YXBsZQ==\n" + value + "|x" + value + "\n",
	} {
		code, out, errs := outcome(s.keysake(t, "run", "--all", flag, "--", "bash", "-c", script))
		if got := out + "|" + errs; code != 0 || got != want {
			t.Errorf("%s: exit code %d, %q", flag, code, got)
		}
	}
}

func TestASecretBecomesAFileInMemory(t *testing.T) {
	const value = "-----BEGIN\r\nline two\n"
	s := serveLeases(t, map[string]string{"KEY": value, "OTHER": "o"})
	dir, err := os.MkdirTemp("/dev/shm", "keysake-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "key")
	for flag, want := range map[string]string{"KEY": "/proc/self/fd/", "KEY=" + path: path} {
		for _, mask := range []string{"--no-mask", "--label=x"} {
			cmd := s.keysake(t, "run", "--file", flag, mask, "--", "sh", "-c",
				`echo "$KEY"; stat -L -c %a "$KEY"; od -c "$KEY" | wc -l; cmp "$KEY" want; exit 3`)
			expected := filepath.Join(cmd.Dir, "want")
			if err := os.WriteFile(expected, []byte(value), 0o600); err != nil {
				t.Fatal(err)
			}
			code, out, errs := outcome(cmd)
			if code != 3 || !strings.HasPrefix(out, want) ||
				!strings.Contains(out, "\n600\n") || errs != "" {
				t.Errorf("%s %s: exit code %d, %q and %q", flag, mask, code, out, errs)
			}
			if left, _ := os.ReadDir(dir); len(left) != 0 {
				t.Errorf("%s: %d files are left", flag, len(left))
			}
		}
	}
}

func TestATemplateIsFilledForOneRun(t *testing.T) {
	s := serveLeases(t, map[string]string{"PASS": "p@ss", "KEY": "keysake://PASS"})
	template := func(text string) func(*exec.Cmd) {
		return func(cmd *exec.Cmd) {
			path := filepath.Join(cmd.Dir, "app.env")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd.Args = slices.Insert(cmd.Args, 2, "--env-file", path)
		}
	}
	got := s.environment(t, template("# for tests\nURL=db://u:keysake://PASS@h/$x\n"+
		"export K='keysake://KEY'\nPLAIN=1\n"))
	if got["URL"] != "db://u:p@ss@h/$x" || got["K"] != "keysake://PASS" || got["PLAIN"] != "1" ||
		got["PASS"] != "" {
		t.Errorf("the environment is %q", got)
	}
	for text, want := range map[string]string{
		"A=1\nB=keysake://NONE":           "line 2: NONE is none of your secrets",
		"A=1\nA=2":                        "line 2: A is there twice",
		"A='hidden":                       "line 1: a quote is not closed",
		"A=1\nLD_PRELOAD=/keysake://PASS": "line 2: LD_PRELOAD cannot have a secret in it: Name is reserved",
		"Node_Options=keysake://PASS":     "line 1: Node_Options cannot have a secret in it",
	} {
		cmd := s.keysake(t, "run", "--", "true")
		template(text)(cmd)
		code, _, errs := outcome(cmd)
		if code != 1 || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, want) ||
			strings.Contains(errs, "hidden") {
			t.Errorf("%q: exit code %d and %q", text, code, errs)
		}
	}
}

func TestAProjectWritesItsChoiceDown(t *testing.T) {
	s := serveLeases(t, map[string]string{"ONE": "1", "OPENAI_API_KEY": "ai", "TWO": "2"})
	in := func(text string, mode os.FileMode) func(*exec.Cmd) {
		return func(cmd *exec.Cmd) {
			path := filepath.Join(cmd.Dir, "keysake.toml")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			cmd.Dir = filepath.Join(cmd.Dir, "a", "b")
			if err := os.MkdirAll(cmd.Dir, 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
	const text = "secrets = [\"ONE\"]\npresets = [\"openai\"]\n[map]\nONE = \"FIRST\"\n"
	got := s.environment(t, in(text, 0o644))
	if got["FIRST"] != "1" || got["OPENAI_API_KEY"] != "ai" || got["TWO"] != "" {
		t.Errorf("the environment is %q", got)
	}
	got = s.environment(t, in(text, 0o644), "-s", "TWO")
	if got["TWO"] != "2" || got["FIRST"] != "" {
		t.Errorf("with a flag the environment is %q", got)
	}
	for want, file := range map[string]func(*exec.Cmd){
		"other users can change it": in(text, 0o666),
		"names no secret":           in("", 0o644),
		"GONE is none of":           in(`secrets = ["GONE"]`, 0o644),
	} {
		cmd := s.keysake(t, "run", "--", "true")
		file(cmd)
		code, _, errs := outcome(cmd)
		if code != 1 || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, want) {
			t.Errorf("%s: exit code %d and %q", want, code, errs)
		}
	}
}

func TestPrintShowsNamesAndMasksAndTakesNoLease(t *testing.T) {
	s := serveLeases(t, map[string]string{"GITHUB_TOKEN": "hidden-value", "OTHER": "hidden-too"})
	code, out, errs := outcome(s.keysake(t, "run", "-s", "GITHUB_TOKEN", "--print"))
	want := "VARIABLE      SECRET        VALUE  SET NOW\n" +
		"GH_TOKEN      GITHUB_TOKEN  ••••   no\n" +
		"GITHUB_TOKEN  GITHUB_TOKEN  ••••   no\n"
	if code != 0 || out != want || errs != "" || s.leases != 0 {
		t.Errorf("exit code %d, %d leases, %q and %s", code, s.leases, errs, cmp.Diff(want, out))
	}
	code, out, _ = outcome(s.keysake(t, "run", "-s", "OTHER", "--print", "--json"))
	var rows []map[string]any
	if err := json.Unmarshal([]byte(out), &rows); code != 0 || err != nil || len(rows) != 1 ||
		rows[0]["variable"] != "OTHER" {
		t.Errorf("exit code %d, %v, %q", code, err, out)
	}
}

func TestASignalEndsTheCommandAndTheProgramAlike(t *testing.T) {
	s := serveLeases(t, map[string]string{"LONG": "correct-horse-battery-staple"})
	for _, flag := range []string{"--no-mask", "--label=masked"} {
		for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT} {
			cmd := s.keysake(t, "run", "--all", flag, "--",
				"sh", "-c", "ulimit -c 0; echo ready; exec sleep 60")
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := out.Read(make([]byte, 1)); err != nil {
				t.Errorf("%s: it does not start: %v", flag, err)
			}
			_ = cmd.Process.Signal(signal)
			_ = cmd.Wait()
			got := cmd.ProcessState.Sys().(syscall.WaitStatus)
			if !got.Signaled() || got.Signal() != signal {
				t.Errorf("%s and %v: %v", flag, signal, cmd.ProcessState)
			}
		}
	}
}
