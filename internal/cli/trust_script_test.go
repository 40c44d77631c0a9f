package cli_test

import (
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/keysake/keysake/internal/issuer/issuertest"
)

// startIssuer runs an issuer whose URL is in ISSUER, and writes who vouches for its certificate to
// a file.
func startIssuer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: issuer CERT")
	}
	i, end := issuertest.Run()
	ts.Defer(end)
	ts.Value(serverKey{}).(*background).issuer = i
	ts.Setenv("ISSUER", i.URL)
	ts.Setenv("JOB_TOKEN", i.URL+issuertest.JobToken+"?api-version=2.0")
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), i.CA, 0o600))
}

// issueToken writes a token of the issuer for an audience to a file.
func issueToken(ts *testscript.TestScript, neg bool, args []string) {
	i := ts.Value(serverKey{}).(*background).issuer
	if neg || len(args) < 2 || i == nil {
		ts.Fatalf("usage: token FILE AUDIENCE [CLAIM=TEXT…], after issuer")
	}
	claims := map[string]any{}
	for _, c := range args[2:] {
		name, value, _ := strings.Cut(c, "=")
		claims[name] = value
	}
	token := i.Token("ES256", i.Claims(args[1], claims))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(token+"\n"), 0o600))
}
