package maintenance_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/keysfile"
	"github.com/keysake/keysake/internal/maintenance"
	"github.com/keysake/keysake/internal/seal"
)

// name makes the keys file name these instance keys.
func name(tb testing.TB, cfg config.Config, ids ...uuid.UUID) {
	tb.Helper()
	f, err := keysfile.Read(cfg.Keys)
	apptest.Must(tb, err)
	apptest.Must(tb, f.With(f.RootKeys, ids, time.Now()).Write(cfg.Keys))
}

// instanceKeyCheck returns what doctor says of the instance keys.
func instanceKeyCheck(tb testing.TB, cfg config.Config) doctor.Check {
	tb.Helper()
	report, err := maintenance.Doctor(tb.Context(), cfg, nil, maintenance.DoctorOptions{})
	apptest.Must(tb, err)
	at := slices.IndexFunc(report.Checks, func(c doctor.Check) bool {
		return c.Name == "instance keys"
	})
	return report.Checks[at]
}

// The keys file names the old key, too, until the database has its name.
func TestARestoreThatWasInterruptedAtItsEndIsRunAgainOrGoesOn(t *testing.T) {
	s := newSite(t)
	old := instanceKeys(t, s.cfg)
	cfg := s.elsewhere(t)
	there := restored(t, cfg, s.backup, maintenance.RestoreOptions{})
	id := instanceKeys(t, there)
	if len(id) != 1 || id[0] == old[0] {
		t.Fatalf("%v is named after a restore", id)
	}

	// after the move: the folder is served, doctor says what is left, and a rotation completes it
	name(t, there, id[0], old[0])
	i, err := instance.Open(t.Context(), there, instance.NewKeys(there, nil), instance.Serve)
	apptest.Must(t, err)
	apptest.Must(t, i.Close())
	if c := instanceKeyCheck(t, there); c.Status != doctor.Warning ||
		!strings.Contains(c.Advice, "instance-key rotate") {
		t.Errorf("doctor: %+v", c)
	}
	done, err := maintenance.RotateInstanceKey(t.Context(), there, nil, nil, func(int, int) {})
	apptest.Must(t, err)
	if left := instanceKeys(t, there); done.ID != id[0] || !slices.Equal(left, id) {
		t.Errorf("%v is named after the rotation was completed", left)
	}
	if c := instanceKeyCheck(t, there); c.Status != doctor.OK {
		t.Errorf("doctor: %+v", c)
	}

	// before the move: the same restore, which names no key beyond the file beside the folder
	name(t, there, id[0], old[0])
	apptest.Must(t, os.RemoveAll(there.Data))
	apptest.Must(t, os.Mkdir(there.Data, 0o700))
	apptest.Must(t, os.Mkdir(filepath.Join(there.Data, ".restoring"), 0o700))
	again := restored(t, there, s.backup, maintenance.RestoreOptions{})
	if left := instanceKeys(t, again); len(left) != 1 || left[0] == id[0] || left[0] == old[0] {
		t.Errorf("%v is named after the second restore", left)
	}
}

func TestDoctorSaysThatAnInstanceKeyIsStillToBeTakenOut(t *testing.T) {
	s := newSite(t)
	cfg := s.elsewhere(t)
	cfg = restored(t, cfg, s.backup, maintenance.RestoreOptions{})
	i, err := instance.Open(t.Context(), cfg, instance.NewKeys(cfg, nil), instance.Shared)
	apptest.Must(t, err)
	old := instanceKeys(t, cfg)
	id := newInstanceKey(t, i)
	apptest.Must(t, i.Close())
	name(t, cfg, id, old[0])
	if c := instanceKeyCheck(t, cfg); c.Status != doctor.Failed ||
		!strings.Contains(c.Text, "did not sign") {
		t.Errorf("doctor: %+v", c)
	}
	rotated, err := maintenance.RotateInstanceKey(t.Context(), cfg, nil, nil, func(int, int) {})
	apptest.Must(t, err)
	if rotated.ID != id {
		t.Errorf("another key than the one that was named first signs: %s", rotated.ID)
	}
	if c := instanceKeyCheck(t, cfg); c.Status != doctor.OK {
		t.Errorf("doctor: %+v", c)
	}
}

// The root key is lost: what the instance key signed is not known to be wrong.
func TestDoctorDoesNotSayThatSomethingWasChangedWhereTheRootKeyIsLost(t *testing.T) {
	s := newSite(t)
	cfg := restored(t, s.elsewhere(t), s.backup, maintenance.RestoreOptions{})
	other := filepath.Join(t.TempDir(), "other.key")
	cfg.RootKeys = []string{"file:" + other}
	report, err := maintenance.Doctor(t.Context(), cfg, nil, maintenance.DoctorOptions{})
	apptest.Must(t, err)
	for _, c := range report.Checks {
		if c.Name == "ledgers" && (c.Status != doctor.Failed ||
			!strings.Contains(c.Text, "cannot be verified")) {
			t.Errorf("doctor: %+v", c)
		}
		if strings.Contains(c.Advice, "something other than Keysake changed") {
			t.Errorf("doctor says that something was changed: %+v", c)
		}
	}
}

func newInstanceKey(tb testing.TB, i *instance.Instance) uuid.UUID {
	tb.Helper()
	key, err := seal.NewInstanceKey()
	apptest.Must(tb, err)
	apptest.Must(tb, i.Operator.AddInstanceKey(tb.Context(), key))
	return key.ID()
}
