package instance_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/instance"
)

func TestAStartWarnsOfFilesThatOthersCouldReplace(t *testing.T) {
	t.Parallel()
	const other = 65534
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file to another user")
	}
	cfg, _ := initialised(t)
	for what, path := range map[string]string{
		"the root key":  keyPath(cfg),
		"the keys file": cfg.Data + ".keys",
		"the database":  filepath.Join(cfg.Data, "keysake.db"),
	} {
		apptest.Must(t, os.Chown(path, other, -1))
		s := apptest.StartWith(t, cfg)
		if want := path + " belongs to another user (uid 65534)"; !strings.Contains(
			s.Logs.String(), want) {
			t.Errorf("%s: the log does not say %q", what, want)
		}
		s.Stop(t)
		apptest.Must(t, os.Chown(path, 0, -1))
	}
	s := apptest.StartWith(t, cfg)
	if strings.Contains(s.Logs.String(), "other users") {
		t.Errorf("it warns for nothing:\n%s", s.Logs)
	}
	// Who owns the folder serves it, also if root looks.
	for _, path := range []string{cfg.Data, keyPath(cfg)} {
		apptest.Must(t, os.Chown(path, other, -1))
	}
	if found, err := instance.Exposed(cfg); err != nil || len(found) > 0 {
		t.Errorf("%v, %v", found, err)
	}
}
