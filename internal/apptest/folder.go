package apptest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Must ends the test at an error.
func Must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// Files returns what is in and beside a folder: by name, the mode and the content.
func Files(tb testing.TB, dir string) map[string]string {
	tb.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(filepath.Dir(dir), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		all[path] = fmt.Sprintf("%v %x", info.Mode(), content)
		return err
	})
	Must(tb, err)
	return all
}

// WantFiles fails the test unless [Files] returns what it returned before.
func WantFiles(tb testing.TB, dir string, before map[string]string) {
	tb.Helper()
	after := Files(tb, dir)
	for path := range after {
		if old, found := before[path]; !found {
			tb.Errorf("%s was created", filepath.Base(path))
		} else if after[path] != old {
			tb.Errorf("%s was changed", filepath.Base(path))
		}
	}
	for path := range before {
		if _, found := after[path]; !found {
			tb.Errorf("%s was removed", filepath.Base(path))
		}
	}
}
