package instance

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/privatefile"
	"github.com/keysake/keysake/internal/rootkey"
)

// Exposed lists what other users can read or change, or could replace because it is theirs: the
// data folder, the files in it, and the configured files of key material.
func Exposed(cfg config.Config) (found []string, err error) {
	folder, err := os.Stat(cfg.Data)
	if err != nil {
		return nil, err
	}
	check := func(path string, info fs.FileInfo) {
		if privatefile.CheckMode(info) != nil {
			found = append(found, fmt.Sprintf("%s has mode %04o", path, info.Mode().Perm()))
		}
		if owner, foreign := foreignOwner(info, folder); foreign {
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
	for _, path := range keyMaterial(cfg) {
		if info, err := os.Stat(path); err == nil { // what needs the file says why it cannot
			check(path, info)
		}
	}
	return found, err
}

// keyMaterial returns the files outside of the data folder from which keys come, or that say which
// keys are believed.
func keyMaterial(cfg config.Config) (paths []string) {
	keys, err := cfg.KeysFile()
	if err == nil {
		paths = append(paths, keys)
	}
	urls, _, err := NewKeys(cfg, nil).Named()
	if err == nil {
		for _, url := range urls {
			if path, isFile := rootkey.FilePath(url); isFile {
				paths = append(paths, path)
			}
		}
	}
	if path, err := FloorsFile(cfg, urls); err == nil {
		paths = append(paths, path)
	}
	paths = append(paths, cfg.TLSKey, cfg.RootPassphraseFile)
	data, err := filepath.Abs(cfg.Data)
	return slices.DeleteFunc(paths, func(path string) bool {
		found, _ := filepath.Abs(path)
		return path == "" || err == nil && filepath.Dir(found) == data
	})
}
