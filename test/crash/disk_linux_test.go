package crash_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
)

// A disk is a way in which a running server cannot write. fail brings it about, and mend ends it.
type disk struct {
	data string
	fail func(p *process)
	mend func(p *process)
}

func TestServerSurvivesAFullDisk(t *testing.T) {
	t.Parallel()
	ways := 0
	for what, make := range map[string]func(t *testing.T) (disk, error){
		"no file may grow":              fileSizeLimit,
		"the file system has no room":   fullFileSystem,
		"the files must not be changed": immutableFiles,
	} {
		t.Run(what, func(t *testing.T) {
			d, err := make(t)
			if err != nil {
				t.Skipf("this machine does not let a test do that: %v", err)
			}
			ways++
			survives(t, d)
		})
	}
	if _, ci := os.LookupEnv("CI"); ci && ways == 0 {
		t.Error("no way of filling a disk works here, so nothing was tested")
	}
}

// fileSizeLimit needs no privileges. The kernel answers EFBIG.
func fileSizeLimit(t *testing.T) (disk, error) {
	t.Helper()
	set := func(p *process, most uint64) {
		t.Helper()
		var limit unix.Rlimit
		err := unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_FSIZE, nil, &limit)
		if errors.Is(err, unix.ESRCH) {
			return // it has ended, and its limit with it
		}
		if err != nil {
			t.Fatal(err)
		}
		limit.Cur = min(most, limit.Max)
		if err := unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_FSIZE, &limit, nil); err != nil {
			t.Fatal(err)
		}
	}
	return disk{
		data: newData(t),
		fail: func(p *process) { t.Helper(); set(p, 4096) },
		mend: func(p *process) { t.Helper(); set(p, unix.RLIM_INFINITY) },
	}, nil
}

// fullFileSystem fills a small one. The kernel answers ENOSPC.
func fullFileSystem(t *testing.T) (disk, error) {
	t.Helper()
	dir := apptest.SmallDisk(t, "64m")
	var free func()
	return disk{
		data: filepath.Join(dir, "data"),
		fail: func(*process) { t.Helper(); free = apptest.FillDisk(t, dir) },
		mend: func(*process) { t.Helper(); free() },
	}, nil
}

// immutableFiles is the nearest that there is to a file system that becomes read-only under a
// running server: the kernel answers EPERM to writes through files that are open already. It needs
// a file system that can, and the right to.
func immutableFiles(t *testing.T) (disk, error) {
	t.Helper()
	probe := filepath.Join(t.TempDir(), "probe")
	open, err := os.Create(probe)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if err := setImmutable(probe, true); err != nil {
		return disk{}, err
	}
	_, refused := open.WriteString("x")
	if err := setImmutable(probe, false); err != nil {
		t.Fatal(err)
	}
	if refused == nil { // by tmpfs, which looks when a file is opened
		return disk{}, errors.New("what is open can be written")
	}
	data := newData(t)
	set := func(on bool) {
		for _, name := range []string{"keysake.db", "keysake.db-wal"} {
			if err := setImmutable(filepath.Join(data, name), on); err != nil &&
				!errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	t.Cleanup(func() { set(false) }) // or nobody could remove them
	return disk{
		data: data, fail: func(*process) { set(true) }, mend: func(*process) { set(false) },
	}, nil
}

// immutable is FS_IMMUTABLE_FL of linux/fs.h.
const immutable = 0x10

func setImmutable(path string, on bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	flags, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err != nil {
		return fmt.Errorf("attributes: %w", err)
	}
	flags &^= immutable
	if on {
		flags |= immutable
	}
	if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flags); err != nil {
		return fmt.Errorf("attributes: %w", err)
	}
	return nil
}

// survives is what must hold on a disk that fails.
func survives(t *testing.T, d disk) {
	t.Helper()
	random := newRandom(t)
	p := start(t, d.data)
	libraries := []*library{newLibrary(p, "ann"), newLibrary(p, "bob")}
	workers := newWorkers(libraries, 4, random)
	for range 2 {
		work(t, p, workers, http.StatusOK)
		d.fail(p)
		untilRefused(t, p, workers[0])
		work(
			t, p, workers, http.StatusOK, http.StatusInternalServerError,
			http.StatusServiceUnavailable,
		)
		stillReads(t, p, libraries, http.StatusServiceUnavailable)
		p.alive()
		d.mend(p)
		work(t, p, workers, http.StatusOK)
		checkAPI(t, p, libraries)
		settle(workers)
	}
	d.fail(p)
	untilRefused(t, p, workers[0])
	p.kill()
	d.mend(p)
	checkFolder(t, d.data, libraries)
	p = start(t, d.data)
	checkAPI(t, p, libraries)
	p.stop()
}

// work lets each worker do some steps, whose answers must have one of the statuses.
func work(t *testing.T, p *process, workers []*worker, statuses ...int) {
	t.Helper()
	const steps = 20
	var all sync.WaitGroup
	for _, w := range workers {
		c := p.client(w.library.key)
		all.Go(func() {
			for i := 0; i < steps && !t.Failed(); i++ {
				wantStatus(t, w.step(context.Background(), c), statuses...)
			}
		})
	}
	all.Wait()
}

// wantStatus checks an answer. An error must have come in the envelope.
func wantStatus(t *testing.T, err error, statuses ...int) {
	t.Helper()
	if refused, ok := errors.AsType[*client.Error](err); ok && refused.Type == "" {
		t.Errorf("an answer without the envelope: %v", err)
	}
	for _, s := range statuses {
		if status(err) == s {
			return
		}
	}
	t.Errorf("got status %d (%v), want one of %v", status(err), err, statuses)
}

// untilRefused writes until the server cannot any more: there may be a little room left.
func untilRefused(t *testing.T, p *process, w *worker) {
	t.Helper()
	c := p.client(w.library.key)
	p.until("refuses to write", func() bool {
		err := w.step(t.Context(), c)
		wantStatus(
			t, err, http.StatusOK, http.StatusInternalServerError, http.StatusServiceUnavailable,
		)
		return err != nil
	})
}

// stillReads checks that everything that only reads is answered, and /readyz with a status.
func stillReads(t *testing.T, p *process, libraries []*library, ready int) {
	t.Helper()
	for path, want := range map[string]int{"/healthz": http.StatusOK, "/readyz": ready} {
		res, err := http.Get(p.url + path)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil || res.StatusCode != want {
			t.Errorf("%s: %d, %v", path, res.StatusCode, err)
		}
	}
	for _, l := range libraries {
		c := p.client(l.key)
		list, err := c.ListSecrets(t.Context())
		wantStatus(t, err, http.StatusOK)
		for _, n := range list.Secrets[:min(3, len(list.Secrets))] {
			_, err := c.GetSecret(t.Context(), n.ID)
			wantStatus(t, err, http.StatusOK)
		}
	}
}
