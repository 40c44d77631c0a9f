package instance_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/server"
	"github.com/keysake/keysake/wire"
)

// withDevUser returns the settings of a production folder that has all that --dev would make, but
// for what only --dev can.
func withDevUser(t *testing.T) config.Config {
	t.Helper()
	cfg, first := initialised(t)
	s := apptest.StartWith(t, cfg)
	_, err := s.ClientWith(t, first.Key).CreateUser(t.Context(), wire.CreateUser{Username: "dev"})
	apptest.Must(t, err)
	s.Stop(t)
	_, key, err := instance.NewAdminKey(t.Context(), cfg, nil, "dev")
	apptest.Must(t, err)
	put(t, cfg, "dev-api-key", key.Reveal())
	keys, err := os.ReadFile(cfg.Data + ".keys")
	apptest.Must(t, err)
	put(t, cfg, "keysake.keys", keys)
	return cfg
}

func put(t *testing.T, cfg config.Config, name string, content []byte) {
	t.Helper()
	apptest.Must(t, os.WriteFile(filepath.Join(cfg.Data, name), content, 0o600))
}

func TestDevJoinsOnlyWhatDevMade(t *testing.T) {
	t.Parallel()
	made := apptest.Start(t)
	mark, err := os.ReadFile(filepath.Join(made.Data, "keysake.dev"))
	apptest.Must(t, err)
	// without the keys file beside the folder, only the mark tells
	for what, mark := range map[string][]byte{
		"its keys file": nil, "no mark": nil, "the mark of another": mark, "a mark with nothing in it": {},
		"a mark that is guessed": []byte(strings.Repeat("0", 64) + "\n"),
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			cfg := withDevUser(t)
			if what != "its keys file" {
				apptest.Must(t, os.Remove(cfg.Data+".keys"))
			}
			if mark != nil {
				put(t, cfg, "keysake.dev", mark)
			}
			before := apptest.Files(t, cfg.Data)
			cfg.Dev = true
			wantCannotOpen(
				t, server.Run(t.Context(), cfg, nil, io.Discard, io.Discard),
				"was not created by --dev",
			)
			apptest.WantFiles(t, cfg.Data, before)
		})
	}
}

func TestDevFinishesAFolderWhoseMakingWasCutShort(t *testing.T) {
	t.Parallel()
	cfg := apptest.Config(t)
	apptest.Must(t, os.Mkdir(cfg.Data, 0o700))
	put(t, cfg, "keysake.db", nil)
	put(t, cfg, "keysake.dev", []byte(strings.Repeat("0", 64)+"\n"))
	apptest.StartWith(t, cfg).Stop(t)
	apptest.StartWith(t, cfg)
}
