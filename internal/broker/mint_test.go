package broker_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// Servers decode paths, take slashes and parameters away, and some read letters of either case.
func TestAMintedCredentialStaysHoweverItsPathIsSpelled(t *testing.T) {
	t.Parallel()
	s := start(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"jwt":"eyJSRUFM.cGF5bG9hZA.c2VjcmV0"}`)
	})
	l := s.lease("tinker")
	h := http.Header{"X-Api-Key": {l.placeholder}}
	for _, path := range []string{
		"auth/token", "auth/tok%65n", "auth/tok%2565n", "auth/token/", "auth/token;x",
		"auth%2Ftoken", "auth%2ftoken%2F", "auth;x/token%3Bx", "Auth/TOKEN", "auth/token.json",
		"auth/token.", "auth/token%20", "auth/token%3Fx/y",
	} {
		got := s.ask("POST", "/tinker/services/tinker-prod/api/v1/"+path, h, nil)
		if strings.Contains(got.body, "c2VjcmV0") || got.status != 200 && got.rule() != "target" {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}
