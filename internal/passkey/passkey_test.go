package passkey_test

import (
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/passkey"
	"github.com/keysake/keysake/internal/vault"
)

func TestPasskeysAreGoodAtANameAlone(t *testing.T) {
	for address, want := range map[string]string{
		"https://keysake.example.org":      "https://keysake.example.org keysake.example.org",
		"https://Keysake.Example.org/":     "https://keysake.example.org keysake.example.org",
		"https://keysake.example.org:443":  "https://keysake.example.org keysake.example.org",
		"https://keysake.example.org:8443": "https://keysake.example.org:8443 keysake.example.org:8443",
		"http://localhost:8420":            "http://localhost:8420 localhost:8420",
		"http://localhost:80":              "http://localhost localhost",
		"":                                 "",
		"keysake.example.org":              "",
		"http://127.0.0.1:8420":            "",
		"https://[::1]:8420":               "",
		"https://192.0.2.1":                "",
		"https://":                         "",
		"%":                                "",
	} {
		got := ""
		if s, ok := passkey.NewSite(address); ok {
			got = s.Origin + " " + s.Host
		}
		if got != want {
			t.Errorf("%q: %q, not %q", address, got, want)
		}
	}
}

// What is no answer is refused, whatever it is, and says nothing of what was sent.
func FuzzAnswer(f *testing.F) {
	for _, text := range []string{
		"", "{}", "[]", "null", `{"id":"YQ","rawId":"YQ","type":"public-key","response":{}}`,
		`{"id":"YQ","rawId":"YQ","type":"public-key","response":{"clientDataJSON":"e30",` +
			`"attestationObject":"oA","authenticatorData":"YQ","signature":"YQ"}}`,
		strings.Repeat("[", 1000), strings.Repeat(" ", 20<<10),
	} {
		f.Add(text)
	}
	site, _ := passkey.NewSite("https://keysake.example.org")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := site.Added([32]byte{1}, text); vault.KindOf(err) != vault.Invalid {
			t.Errorf("a passkey is added: %v", err)
		}
		answer, err := site.Answered([32]byte{1}, text)
		if err == nil {
			err = answer.Verify(nil)
			if err == nil {
				t.Error("an answer counts that nobody has signed")
			}
			return
		}
		if vault.KindOf(err) != vault.Unauthenticated {
			t.Errorf("it is answered with %v", err)
		}
	})
}
