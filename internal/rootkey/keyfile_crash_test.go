package rootkey_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/rootkey"
)

// crashFolder is set in the process that will be killed.
const crashFolder = "ROOTKEY_TEST_CRASH_FOLDER"

func TestAKilledProcessLeavesNoPartialKeyFile(t *testing.T) {
	if dir := os.Getenv(crashFolder); dir != "" {
		for i := 0; ; i++ {
			path := filepath.Join(dir, fmt.Sprintf("%06d.key", i))
			if _, err := rootkey.CreateKeyFile(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	for round := range 10 {
		dir := t.TempDir()
		killAfter(t, dir, 1+7*round)
		for _, name := range keyFiles(t, dir) {
			if _, err := rootkey.ReadKeyFile(filepath.Join(dir, name)); err != nil {
				t.Error(err)
			}
		}
	}
}

// killAfter runs this test in another process until there are as many key files, and kills it.
func killAfter(t *testing.T, dir string, files int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), crashFolder+"="+dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for len(keyFiles(t, dir)) < files {
		time.Sleep(time.Millisecond)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it says that the process was killed
}

// keyFiles returns the names of the key files, and leaves out the temporary one that a killed
// process may leave.
func keyFiles(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names
}
