package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/config"
)

func TestASignInNeedsTheSecretOfItsClientAndNoProviderThatAnswers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	cfg := config.Config{PublicURL: "https://keysake.example.org/", SignIn: config.SignIn{
		OIDCIssuer: "https://id.example.org/acme", OIDCClientSecretFile: file,
	}}
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for what, prepare := range map[string]func(){
		"no file": func() {}, "an empty one": func() { write("") }, "a line": func() { write("\n") },
	} {
		prepare()
		_, err := providerOptions(cfg)
		if err == nil || !strings.HasPrefix(err.Error(), "--oidc-client-secret-file: ") {
			t.Errorf("%s: %v", what, err)
		}
	}
	write("canary\r\n")
	o, err := providerOptions(cfg)
	if err != nil || string(o.Secret.Reveal()) != "canary" || o.Name != "id.example.org" ||
		o.Redirect != "https://keysake.example.org/ui/sign-in/callback" {
		t.Errorf("the provider is %v (%v)", o, err)
	}
	for _, issuer := range []string{
		"http://id.example.org", "https://id.example.org?x", "https://u@id.example.org",
		"id.example.org", "https://id.example.org#x", "https://ID.example.org",
	} {
		cfg.OIDCIssuer = issuer
		_, err := providerOptions(cfg)
		if err == nil || !strings.HasPrefix(err.Error(), "--oidc-issuer must be the provider's") {
			t.Errorf("%s: %v", issuer, err)
		}
	}
	if o, err := providerOptions(config.Config{}); o != nil || err != nil {
		t.Errorf("without an issuer it is %v (%v)", o, err)
	}
}
