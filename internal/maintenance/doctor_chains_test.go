package maintenance_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
