//go:build unix

package project_test

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/keysake/keysake/internal/project"
)

func TestAFileThatOthersCouldHaveWrittenIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(path string) error
		want   string
	}{
		"others can write": {func(path string) error { return os.Chmod(path, 0o646) }, "other users can change it"},
		"its group can write": {func(path string) error {
			return errors.Join(changeGroup(path), os.Chmod(path, 0o664))
		}, "other users can change it"},
		"a pipe": {func(path string) error {
			return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600))
		}, "not a regular file"},
		"a link": {func(path string) error {
			return errors.Join(os.Rename(path, path+".real"), os.Symlink(path+".real", path))
		}, "a symbolic link"},
		"of another user": {func(path string) error { return os.Chown(path, 12345, -1) }, "belongs to another user"},
	} {
		dir := t.TempDir()
		path := write(t, dir, "secrets = []")
		if err := c.change(path); errors.Is(err, fs.ErrPermission) {
			continue // only root gives files away
		} else if err != nil {
			t.Fatal(err)
		}
		_, err := project.Find(dir)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// changeGroup gives a file to a group that is not the user's alone.
func changeGroup(path string) error {
	if os.Geteuid() != 0 {
		return fs.ErrPermission
	}
	return os.Chown(path, -1, 12345)
}
