package api_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/issuer/issuertest"
	"github.com/keysake/keysake/internal/store/postgres/pgtest"
)

// trusted is an issuer whose certificate this process accepts.
var trusted *issuertest.Issuer

// TestMain runs the suite on both databases.
func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	issuer, end := issuertest.Run()
	defer end()
	trusted = issuer
	dir, err := os.MkdirTemp("", "keysake-issuer-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "ca.pem")
	// It is read before the first certificate is verified, and never again.
	if err := os.WriteFile(file, issuer.CA, 0o600); err != nil {
		panic(err)
	}
	if err := os.Setenv("SSL_CERT_FILE", file); err != nil {
		panic(err)
	}
	return pgtest.Main(m, func() { apptest.Database = pgtest.Migrated.Copy })
}
