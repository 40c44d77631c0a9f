package broker_test

import (
	"net/http"
	"testing"

	"github.com/keysake/keysake/internal/vault"
)

func TestARequestIsNotTakenForOneWithAnotherMethodOrPath(t *testing.T) {
	t.Parallel()
	s := startRemembering(t)
	l := s.lease("google_gemini", func(g *vault.Grant) {
		g.Limits.Methods, g.Limits.Paths = []string{http.MethodPost}, []string{"/v1beta/"}
	})
	for _, c := range []struct{ query, header, value, rule string }{
		{"", "X-HTTP-Method-Override", "DELETE", "method"},
		{"", "x-http-method-override", "POST", "method"},
		{"", "X_HTTP_Method_Override", "DELETE", "method"},
		{"", "X-HTTP-Method", "DELETE", "method"},
		{"", "X-Method-Override", "DELETE", "method"},
		{"", "X-Original-URL", "/v2/x", "path"},
		{"", "X-Rewrite-URL", "/v2/x", "path"},
		{"?$httpMethod=DELETE", "", "", "method"},
		{"?a=b&%24httpmethod=DELETE", "", "", "method"},
		{"?$httpHeaders=X-Http-Method-Override:DELETE", "", "", "method"},
		{"?_method=DELETE", "", "", "method"},
		{"?method=DELETE&httpMethod=x", "X-Http-Any", "DELETE", ""},
	} {
		h := http.Header{"X-Goog-Api-Key": {l.placeholder}}
		if c.header != "" {
			h.Set(c.header, c.value)
		}
		got := s.ask("POST", "/google_gemini/v1beta/files/x"+c.query, h, nil)
		if _, any := s.last(); got.rule() != c.rule || any != (c.rule == "") {
			t.Errorf("%q %q: %d by %q, want %q", c.query, c.header, got.status, got.rule(), c.rule)
		}
	}
}
