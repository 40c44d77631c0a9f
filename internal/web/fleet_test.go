package web_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/store/postgres/pgtest"
)

func TestServersThatShareADatabaseSeeEachOther(t *testing.T) {
	url := pgtest.Empty(t)
	first := apptest.Start(t, func(c *config.Config) {
		c.DatabaseURL, c.DatabaseConnections, c.Program = url, 4, "serve 1.2.3"
	})
	folder := filepath.Join(t.TempDir(), "second")
	apptest.Must(t, os.Mkdir(folder, 0o700))
	b := open(t, first)
	b.signIn("dev")
	alone := b.get("/ui/fleet").want(t, 200).text
	if !strings.Contains(alone, "Server 1.2.3") || strings.Contains(alone, "several versions") ||
		!strings.Contains(alone, "PostgreSQL") {
		t.Errorf("of a server alone:\n%s", alone)
	}
	apptest.Start(t, func(c *config.Config) {
		c.DatabaseURL, c.DatabaseConnections, c.Program = url, 4, "serve 1.3.0"
		c.Dev, c.Data, c.Keys = false, folder, filepath.Join(first.Data, "keysake.keys")
	})
	text := b.get("/ui/fleet").want(t, 200).text
	for _, want := range []string{"Server 1.2.3", "Server 1.3.0", "several versions"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if n := strings.Count(text, "answers you"); n != 1 {
		t.Errorf("%d servers answer", n)
	}
}

func TestWhereTheURLNamesTheConnectionsThePageSaysThatItDoesNotSeeOthers(t *testing.T) {
	url := pgtest.Empty(t)
	s := apptest.Start(t, func(c *config.Config) {
		c.DatabaseURL, c.DatabaseConnections, c.Program = url, 4, "serve 1.2.3"
		c.DatabaseURL += map[bool]string{true: "&", false: "?"}[strings.Contains(url, "?")] +
			"application_name=mine"
	})
	b := open(t, s)
	b.signIn("dev")
	if text := b.get("/ui/fleet").want(t, 200).text; !strings.Contains(text, "1.2.3") ||
		!strings.Contains(text, "it does not tell of them") {
		t.Errorf("the page does not say so:\n%s", text)
	}
}
