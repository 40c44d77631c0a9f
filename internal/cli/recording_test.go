package cli_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
)

// A folder with a program keysake, and what it needs to talk to a server.
type sandbox struct {
	t       *testing.T
	program string
	dir     string
	env     []string
}

// keysake runs the program, and returns what it wrote to its two streams.
func (s *sandbox) keysake(stdin string, args ...string) (stdout, stderr string) {
	s.t.Helper()
	cmd := exec.Command(s.program, args...)
	cmd.Dir = s.dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir}, s.env...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("keysake %s %s: %v: %s", args[0], args[1], err, errs.String())
	}
	return out.String(), errs.String()
}

// flow takes values in, and hands them to commands, in each way that there is. It returns the
// values, and what the program said.
func flow(t *testing.T, program, url, key string, more ...string) (values []string, said string) {
	t.Helper()
	const value = "correct-horse-battery-staple-of-nobody"
	values = []string{value + "-as-a-name", value + "-imported", value + "-by-preset"}
	own := &sandbox{t, program, t.TempDir(), append(
		[]string{"KEYSAKE_URL=" + url, "KEYSAKE_API_KEY=" + key}, more...)}
	gives := func(s *sandbox, want string, args ...string) {
		t.Helper()
		out, errs := s.keysake("", args...)
		if out != want+"\n" {
			t.Errorf("keysake %q: the command got another value", args)
		}
		said += errs
	}
	own.keysake(values[0], "secrets", "set", "NAMED")
	own.keysake(values[2], "secrets", "set", "--preset", "openai")
	own.keysake("IMPORTED='"+values[1]+"'\n", "secrets", "import", "-", "--yes")
	gives(own, values[0], "run", "--no-mask", "--secret", "NAMED", "--", "printenv", "NAMED")
	gives(own, values[1], "run", "--no-mask", "-s", "IMP*", "--", "printenv", "IMPORTED")
	ticket, _ := own.keysake("", "lease", "create", "--ticket", "--preset", "openai")
	other := &sandbox{t, program, t.TempDir(), append([]string{"KEYSAKE_URL=" + url}, more...)}
	apptest.Must(t, os.WriteFile(filepath.Join(other.dir, "ticket"), []byte(ticket), 0o600))
	gives(other, values[2],
		"run", "--no-mask", "--ticket-file", "ticket", "--", "printenv", "OPENAI_API_KEY")
	return values, said
}

func TestWhoRecordsTheWayOfTheProgramSeesNoValue(t *testing.T) {
	program := filepath.Join(t.TempDir(), "keysake")
	build := exec.Command("go", "build", "-o", program, "../../cmd/keysake")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	srv := apptest.Start(t)
	for name, off := range map[string][]string{
		"mia": nil,
		"ada": {"KEYSAKE_NO_SEALING=true"},
	} {
		r := apptest.Record(t, srv.URL)
		key := srv.NewUser(t, name)
		values, said := flow(t, program, r.URL, string(key.Reveal()), off...)
		for i, value := range values {
			switch form := r.Saw(value); {
			case off == nil && form != "":
				t.Errorf("value %d goes by, %s", i, form)
			case off != nil && form == "":
				t.Errorf("value %d is not seen even where nothing is sealed", i)
			}
		}
		for _, call := range []string{
			"POST /api/v1/user/secrets ", "POST /api/v1/user/secrets/preset ",
			"POST /api/v1/user/secrets/import ", "POST /api/v1/user/leases ",
			"POST /api/v1/leases/redeem ",
		} {
			if r.Saw(call) == "" {
				t.Errorf("%s: %s does not go by", name, call)
			}
		}
		if warned := strings.Contains(said, "Warning: sealing is off"); warned != (off != nil) {
			t.Errorf("%s: it says %q", name, said)
		}
	}
}
