package maintenance_test

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/maintenance"
)

func TestADoctorChecksTheWebhookAsAServerDoesAtItsStart(t *testing.T) {
	s := newSite(t)
	s.Stop(t)
	file := filepath.Join(t.TempDir(), "key")
	random := make([]byte, 32)
	_, _ = rand.Read(random)
	key := base64.StdEncoding.EncodeToString(random)
	apptest.Must(t, os.WriteFile(file, []byte("whsec_"+key), 0o600))
	good := s.cfg
	good.WebhookURL, good.WebhookKeyFile = "https://hook.example.org/token-in-the-path", file
	for what, c := range map[string]struct {
		change func(*config.Config)
		finds  string // empty if all is well
	}{
		"all is well":      {func(*config.Config) {}, ""},
		"no key":           {func(c *config.Config) { c.WebhookKeyFile = "" }, "is missing"},
		"a key for nobody": {func(c *config.Config) { c.WebhookURL = "" }, "is missing"},
		"in the clear": {func(c *config.Config) {
			c.WebhookURL = "http://hook.example.org/token-in-the-path"
		}, "must be an https URL"},
		"no file": {func(c *config.Config) { c.WebhookKeyFile += "x" }, "no such file"},
		"no key in the file": {func(c *config.Config) {
			c.WebhookKeyFile = filepath.Join(t.TempDir(), "short")
			apptest.Must(t, os.WriteFile(c.WebhookKeyFile, []byte("whsec_"+key[:8]), 0o600))
		}, "a key must be"},
	} {
		t.Run(what, func(t *testing.T) {
			cfg := good
			c.change(&cfg)
			got := examine(t, cfg, maintenance.DoctorOptions{})["webhook"]
			if (got.Status == doctor.OK) != (c.finds == "") ||
				!strings.Contains(got.Text, c.finds) {
				t.Errorf("%+v", got)
			}
			for _, part := range []string{"token-in", key[:8]} {
				if strings.Contains(fmt.Sprint(got), part) {
					t.Errorf("%q is in it", part)
				}
			}
		})
	}
	if _, checked := examine(t, s.cfg, maintenance.DoctorOptions{})["webhook"]; checked {
		t.Error("it is checked where there is none")
	}
}
