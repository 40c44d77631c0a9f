package crash_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
)

var noCore = regexp.MustCompile(`(?m)^Max core file size +0 +0 `)

func TestTheMemoryOfAServerIsNotDumped(t *testing.T) {
	t.Parallel()
	p := start(t, newData(t))
	limits, err := os.ReadFile(p.file("limits"))
	if err != nil {
		t.Fatal(err)
	}
	if !noCore.Match(limits) {
		t.Errorf("a core dump may have more than 0 bytes:\n%s", limits)
	}
	p.stop()
}

// A process of the same user may read the memory of a dumpable one. The kernel gives the files of
// one that is not dumpable to root.
func TestTheMemoryOfAServerIsClosedToItsOwnUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		p := start(t, newData(t))
		if f, err := os.Open(p.file("mem")); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("its memory can be opened (%v)", errors.Join(err, f.Close()))
		}
		return
	}
	dir, err := os.MkdirTemp(filepath.Dir(program), "data-*")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	lowly := func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Credential: &syscall.Credential{Uid: nobody, Gid: nobody},
		}
	}
	p := launch(t, filepath.Join(dir, "data"), lowly).ready()
	for _, name := range []string{"mem", "maps", "environ", "auxv"} {
		info, err := os.Stat(p.file(name))
		if err != nil {
			t.Fatal(err)
		}
		if owner := info.Sys().(*syscall.Stat_t).Uid; owner != 0 {
			t.Errorf("%s belongs to uid %d", p.file(name), owner)
		}
		read := exec.Command("head", "-c", "1", p.file(name))
		lowly(read)
		if out, err := read.CombinedOutput(); err == nil {
			t.Errorf("another process of its user can read %s:\n%s", name, out)
		}
	}
	p.stop()
}

// file returns the path of a file of the process in /proc.
func (p *process) file(name string) string {
	return fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, name)
}
