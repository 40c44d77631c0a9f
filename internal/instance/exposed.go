package instance

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/privatefile"
)

// Exposed lists what other users can read or change, or could replace because it is theirs: the
// data folder, the files in it, and the configured files of key material.
func Exposed(cfg config.Config) (found []string, err error) {
	check := func(path string, info fs.FileInfo) {
		if privatefile.CheckMode(info) != nil {
			found = append(found, fmt.Sprintf("%s has mode %04o", path, info.Mode().Perm()))
		}
		if owner, foreign := foreignOwner(info); foreign {
			found = append(found, fmt.Sprintf("%s belongs to another user (uid %d)", path, owner))
		}
	}
	err = filepath.WalkDir(cfg.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a running server removes files
		}
		if err == nil && d.Type()&fs.ModeSymlink == 0 {
			check(path, info)
		}
		if d.IsDir() && path != cfg.Data {
			return filepath.SkipDir
		}
		return err
	})
	keys, keysErr := cfg.KeysFile()
	for _, path := range []string{cfg.TLSKey, cfg.RootPassphraseFile, keys} {
		if path == "" {
			continue
		}
		if info, err := os.Stat(path); err == nil { // what needs the file says why it cannot
			check(path, info)
		}
	}
	return found, errors.Join(err, keysErr)
}
