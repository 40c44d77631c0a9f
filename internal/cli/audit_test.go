package cli_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// auditFiles writes the vectors of package audit as files, and returns their paths by their names,
// and the public key.
func auditFiles(t *testing.T) (paths map[string]string, key string) {
	t.Helper()
	text, err := os.ReadFile("../audit/testdata/checkpoint.txt")
	if err != nil {
		t.Fatal(err)
	}
	paths = map[string]string{}
	dir := t.TempDir()
	for line := range strings.Lines(string(text)) {
		name, value, found := strings.Cut(strings.TrimSpace(line), ": ")
		if name == "key" {
			key = value
		}
		if b, err := hex.DecodeString(value); err == nil && found {
			paths[name] = filepath.Join(dir, name)
			if err := os.WriteFile(paths[name], b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return paths, key
}

func TestAnExportIsVerifiedWithAPublicKeyAlone(t *testing.T) {
	files, key := auditFiles(t)
	verify := func(args ...string) (int, string, string) {
		return run(t, nil, nil, append([]string{"audit", "verify"}, args...)...)
	}
	code, out, errs := verify(files["whole"], "--key", key, "--note", files["note"],
		"--earlier-note", files["note"], "--earlier-leaves", files["leaves"])
	for _, want := range []string{
		"ok       checkpoint  number 2 of 2026-04-15T12:00:00Z, of 3 chains, signed for instance",
		"ok       audit log   3 chains with 4 entries, unbroken", "and extending the earlier",
	} {
		if code != 0 || errs != "" || !strings.Contains(out, want) {
			t.Errorf("exit code %d, %q and %q lack %q", code, out, errs, want)
		}
	}
	code, out, errs = verify(files["alone"], "--key", key, "--entries")
	var entry struct{ Number, Target any }
	if err := json.Unmarshal([]byte(out), &entry); err != nil || code != 0 ||
		entry.Number != 5.0 || !strings.Contains(errs, "1 chain with 1 entry") {
		t.Errorf("%v: exit code %d, %q and %q", err, code, out, errs)
	}

	whole, err := os.ReadFile(files["whole"])
	if err != nil {
		t.Fatal(err)
	}
	whole[bytes.LastIndex(whole, []byte("SOME_NAME"))] ^= 1
	if err := os.WriteFile(files["whole"], whole, 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs = verify(files["whole"], "--key", key)
	const named = "- the chain of 00000000-0000-7000-8000-000000000003 breaks at entry 5: "
	if code != 1 || !strings.Contains(out, "failed   audit log") || !strings.Contains(out, named) ||
		!strings.HasPrefix(errs, "keysake: ") {
		t.Errorf("exit code %d, %q and %q", code, out, errs)
	}
	other := strings.Replace(key, "00112233", "10112233", 1)
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{files["whole"], "--key", other}, 1, "this is not a public key of checkpoints"},
		{[]string{files["note"], "--key", key}, 1, "this is not an audit export"},
		{[]string{files["whole"]}, 2, "--key is missing"},
		{[]string{files["whole"], "--key", key, "--earlier-note", "x"}, 2, "give both"},
		{[]string{files["whole"], "--key", key, "--note", files["leaves"]}, 1, "not a signed check"},
		{[]string{"missing", "--key", key}, 1, "no such file"},
	} {
		code, out, errs := verify(c.args...)
		if code != c.code || out != "" || !strings.Contains(errs, c.want) {
			t.Errorf("%q: exit code %d, %q and %q", c.args, code, out, errs)
		}
	}
}
