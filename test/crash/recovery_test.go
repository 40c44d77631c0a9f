package crash_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/maintenance"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// The size of the library that is backed up and restored.
const (
	recoveryUsers   = 8
	recoverySecrets = 60 // of each, with values that take their time
	recoveryBytes   = 20_000
)

// A backup or a restore that is killed leaves either nothing under the final name, or all of it.
func TestABackupAndARestoreThatAreKilledLeaveNothingHalf(t *testing.T) {
	inFolders(t, 12, 25, killBackups)
}

func killBackups(t *testing.T, random *rand.Rand, rounds int) {
	t.Helper()
	data := newData(t)
	p := start(t, data)
	crowd(p)
	work := t.TempDir()
	whole := filepath.Join(work, "whole")
	keys := filepath.Join(data, "keysake.keys")
	backupTakes := command(t, "backup", whole, "--data", data, "--keys", keys)
	restoreTakes := command(t,
		"restore", whole, "--data", filepath.Join(work, "first"), "--keys", keys)
	backups, restores := 0, 0
	for round := range rounds {
		dir := filepath.Join(work, fmt.Sprint("round-", round))
		file, restored := filepath.Join(dir, "backup"), filepath.Join(dir, "restored")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if killed(t, random, backupTakes, "backup", file, "--data", data, "--keys", keys) {
			backups++
		}
		if checkBackup(t, file) {
			if err := os.Rename(file, whole); err != nil {
				t.Fatal(err)
			}
		}
		if killed(t, random, restoreTakes,
			"restore", whole, "--data", restored, "--keys", keys) {
			restores++
		}
		if _, err := os.Stat(
			filepath.Join(restored, "keysake.db"),
		); errors.Is(err, fs.ErrNotExist) {
			command(t, "restore", whole, "--data", restored, "--keys", keys) // the same again
		}
		checkRestored(t, restored)
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf(
		"%d backups and %d restores of %d were killed before they ended (they take %v and %v)",
		backups, restores, rounds, backupTakes, restoreTakes,
	)
	p.stop()
}

// crowd gives some users libraries.
func crowd(p *process) {
	p.t.Helper()
	var all sync.WaitGroup
	for u := range recoveryUsers {
		_, key := p.newUser(fmt.Sprint("owner-", u))
		l := p.client(key)
		all.Go(func() {
			for s := range recoverySecrets {
				value := make([]byte, recoveryBytes)
				for i := range value {
					value[i] = 'a' + byte(rand.N(26))
				}
				if _, err := l.CreateSecret(
					p.t.Context(),
					wire.CreateSecret{Name: fmt.Sprint("S", s), Value: plaintext.Own(value)},
				); err != nil {
					p.t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// command runs the program to its end, which must be a good one, and returns how long it took.
func command(t *testing.T, args ...string) time.Duration {
	t.Helper()
	began := time.Now()
	if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return time.Since(began)
}

// killed runs the program and kills it at any moment of the time that it takes. It is false where
// the program was faster.
func killed(t *testing.T, random *rand.Rand, takes time.Duration, args ...string) bool {
	t.Helper()
	var out apptest.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Duration(random.Int64N(int64(takes + takes/10))))
	if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	_ = cmd.Wait() // the exit code says it
	if code := cmd.ProcessState.ExitCode(); code > 0 {
		t.Errorf("%v: exit code %d\n%s", args, code, &out)
	}
	return !cmd.ProcessState.Exited()
}

// checkBackup wants a backup to be whole, if there is one.
func checkBackup(t *testing.T, path string) (there bool) {
	t.Helper()
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("a backup has mode %v", info.Mode())
	}
	if _, err := backup.Open(t.Context(), f, info.Size()); err != nil {
		t.Errorf("a backup that has its name is not whole: %v", err)
	}
	return true
}

// checkRestored wants everything in a folder to open.
func checkRestored(t *testing.T, data string) {
	t.Helper()
	report, err := maintenance.Doctor(
		t.Context(), config.Config{Data: data}, nil, maintenance.DoctorOptions{Sample: doctor.All},
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range report.Checks {
		if c.Status == doctor.Failed {
			t.Errorf("a folder that has its database: %+v", c)
		}
	}
}
