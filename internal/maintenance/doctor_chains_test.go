package maintenance_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/maintenance"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// TestADoctorNamesChainsThatDoNotExtendTheBackups changes what the database alone cannot show.
func TestADoctorNamesChainsThatDoNotExtendTheBackups(t *testing.T) {
	s := newSite(t)
	early := filepath.Join(t.TempDir(), "early.db")
	s.Stop(t)
	copyFile(t, filepath.Join(s.cfg.Data, "keysake.db"), early, 0o600)
	s.Server = apptest.StartWith(t, s.cfg)
	made, err := s.Client(t).CreateUser(t.Context(), wire.CreateUser{Username: "late"})
	apptest.Must(t, err)
	_, err = s.Client(t).CreateSecret(t.Context(), wire.CreateSecret{
		Name: "LATE", Value: plaintext.FromString("any value"),
	})
	apptest.Must(t, err)
	s.Stop(t)
	later := filepath.Join(t.TempDir(), "later.backup")
	if _, err := maintenance.Backup(t.Context(), s.cfg, nil, later, false); err != nil {
		t.Fatal(err)
	}
	const someUser = "(SELECT id FROM users WHERE username = 'user-1')"
	for what, c := range map[string]struct {
		change func(*testing.T, config.Config)
		tells  string // empty for a database that extends the backup
	}{
		"nothing": {func(*testing.T, config.Config) {}, ""},
		"the whole database of before": {func(t *testing.T, cfg config.Config) {
			t.Helper()
			remove(t, filepath.Join(cfg.Data, "keysake.db"))
			copyFile(t, early, filepath.Join(cfg.Data, "keysake.db"), 0o600)
		}, "the chain of " + made.ID + " is missing: the backup's ends at entry 1"},
		"a user's chain that was dropped": {execute(
			"DELETE FROM audit_entries WHERE owner_id = " + someUser,
		), "is missing: the backup's ends at"},
		"a chain that was cut": {execute(
			"DELETE FROM audit_entries WHERE seq > 6 AND owner_id = " + someUser,
		), " ends at entry 6, and the backup's at "},
		"a chain that was recomputed": {execute(
			"UPDATE audit_entries SET hash = zeroblob(32) WHERE seq > 3 AND owner_id = " + someUser,
		), " is another one than the backup's"},
	} {
		t.Run(what, func(t *testing.T) {
			cfg := s.elsewhere(t)
			apptest.Must(t, os.Mkdir(cfg.Data, 0o700))
			copyFile(t, filepath.Join(s.cfg.Data, "keysake.db"),
				filepath.Join(cfg.Data, "keysake.db"), 0o600)
			c.change(t, cfg)
			o := maintenance.DoctorOptions{Sample: 1, Backup: later}
			got := examine(t, cfg, o)["backup chains"]
			if c.tells == "" && got.Status != doctor.OK ||
				c.tells != "" && got.Status != doctor.Failed ||
				!strings.Contains(fmt.Sprint(got.Details), c.tells) {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestADoctorNamesAManifestThatSaysAnotherEndOfTheLog(t *testing.T) {
	s := newSite(t)
	read, err := os.ReadFile(s.backup)
	apptest.Must(t, err)
	for what, c := range map[string]struct{ pattern, with, tells string }{
		"nothing":       {`$^`, ``, ""},
		"another entry": {`"number":[0-9]+,"hash"`, `"number":1,"hash"`, "the entry that it names"},
		"another hash":  {`("number":[0-9]+,"hash":")...`, "${1}000", "the entry that it names"},
		"another note":  {`checkpoint v1\\n[0-9a-f]{4}`, `checkpoint v1\n0000`, "another key signed"},
		"no note":       {`"checkpoint":"[^"]*"`, `"checkpoint":""`, "not a signed checkpoint"},
		"no end":        {`"audit":\{[^}]*\},`, ``, "does not say where"},
	} {
		t.Run(what, func(t *testing.T) {
			changed := regexp.MustCompile(c.pattern).ReplaceAllString(string(read), c.with)
			file := filepath.Join(t.TempDir(), "changed.backup")
			apptest.Must(t, os.WriteFile(file, []byte(resigned(changed)), 0o600))
			o := maintenance.DoctorOptions{Sample: 1, Backup: file}
			got := examine(t, s.cfg, o)["backup manifest"]
			want := doctor.Failed
			if c.tells == "" {
				want = doctor.OK
			}
			if got.Status != want || !strings.Contains(got.Text, c.tells) {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestADoctorWarnsOfChainsThatWereCutBeyondTheBackup(t *testing.T) {
	s := newSite(t)
	export := filepath.Join(t.TempDir(), "export")
	_, err := s.Client(t).CreateSecret(t.Context(), wire.CreateSecret{
		Name: "LATE", Value: plaintext.FromString("any value"),
	})
	apptest.Must(t, err)
	made, err := maintenance.ExportAudit(t.Context(), s.cfg, nil, export, "")
	apptest.Must(t, err)
	soon := time.Now().Add(time.Hour)
	done, err := maintenance.CutAudit(t.Context(), s.cfg, nil, export, soon)
	apptest.Must(t, err)
	if done.Entries != made.Entries || done.Chains != made.Chains || made.Entries == 0 {
		t.Errorf("exported %+v, cut off %+v", made, done)
	}
	checks := examine(t, s.cfg, maintenance.DoctorOptions{Sample: doctor.All, Backup: s.backup})
	for name, c := range checks {
		if c.Status == doctor.Failed {
			t.Errorf("%s: %+v", name, c)
		}
	}
	if c := checks["backup chains"]; c.Status != doctor.Warning ||
		!strings.Contains(c.Text, "were cut off beyond the backup's end") {
		t.Errorf("%+v", c)
	}
	again, err := maintenance.ExportAudit(t.Context(), s.cfg, nil, export+"-2", "")
	if err != nil || again.Entries >= made.Entries {
		t.Errorf("what is left is %+v: %v", again, err)
	}
	if _, err := s.Client(t).ListSecrets(t.Context()); err != nil {
		t.Error(err)
	}
}
