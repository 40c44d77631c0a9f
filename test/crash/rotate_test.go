package crash_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/store/sqlite"
	"github.com/keysake/keysake/wire"
)

// The users of a folder on which rotations are killed.
const (
	rotationWriters = 4
	rotationOthers  = 226 // who only have a key, so that one transaction does not change them all
)

// A rotationPlace is a folder on which a server runs under load while rotations are killed.
type rotationPlace struct {
	*process

	t         *testing.T
	random    *rand.Rand
	libraries []*library
	workers   []*worker
	users     int
}

// inRotationPlaces does the rounds of a test of rotations. The last round of a place is to leave no
// rotation unfinished.
func inRotationPlaces(t *testing.T, everyday int, do func(p *rotationPlace, round int, last bool)) {
	t.Helper()
	inFolders(t, everyday, 6, func(t *testing.T, random *rand.Rand, rounds int) {
		t.Helper()
		p := newRotationPlace(t, random)
		for round := range rounds {
			if do(p, round, round == rounds-1); t.Failed() {
				t.Fatalf("in round %d", round)
			}
			checkAPI(t, p.process, p.libraries)
			settle(p.workers)
		}
		p.kill()
		checkFolder(t, p.data, p.libraries)
		p.checkOwnerKeys()
	})
}

func newRotationPlace(t *testing.T, random *rand.Rand) *rotationPlace {
	t.Helper()
	p := &rotationPlace{
		process: start(t, newData(t)), t: t, random: random, users: 1 + rotationWriters,
	}
	for i := range rotationWriters {
		p.libraries = append(p.libraries, newLibrary(p.process, fmt.Sprintf("user-%d", i)))
	}
	p.workers = newWorkers(p.libraries, 1, random)
	for i := range rotationOthers {
		p.createUser(fmt.Sprintf("other-%d", i))
	}
	return p
}

func (p *rotationPlace) createUser(name string) {
	p.t.Helper()
	admin := p.client(p.devKey())
	if _, err := admin.CreateUser(p.t.Context(), wire.CreateUser{Username: name}); err != nil {
		p.t.Fatal(err)
	}
	p.users++
}

// restart kills the server and starts another.
func (p *rotationPlace) restart() {
	p.t.Helper()
	p.kill()
	p.process = start(p.t, p.data)
}

// rotate runs a rotation to its end.
func (p *rotationPlace) rotate(args ...string) { p.t.Helper(); p.run(0, args...) }

// killRotation runs a rotation and kills it within a time, if it takes as long.
func (p *rotationPlace) killRotation(within time.Duration, args ...string) {
	p.t.Helper()
	p.run(1+time.Duration(p.random.Int64N(int64(within))), args...)
}

func (p *rotationPlace) run(killAfter time.Duration, args ...string) {
	p.t.Helper()
	cmd := exec.Command(program,
		append(args, "--data", p.data, "--keys", filepath.Join(p.data, "keysake.keys"))...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	if killAfter > 0 {
		timer := time.AfterFunc(killAfter, func() { _ = cmd.Process.Kill() }) // it may have ended
		defer timer.Stop()
	}
	err := cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() < 0 {
		return // it was killed
	}
	if err != nil {
		p.t.Errorf("%v: %v\n%s", args, err, &errs)
	}
}

func TestNothingIsLostWhenRotationsAreKilled(t *testing.T) {
	inRotationPlaces(t, 6, func(p *rotationPlace, round int, last bool) {
		work := startLoad(p.t, p.process, p.workers)
		// the second of two goes on with the first
		to := "file:" + filepath.Join(filepath.Dir(p.data), fmt.Sprint("root-", round/2))
		p.killRotation(150*time.Millisecond, "root-key", "rotate", "--to", to)
		p.killRotation(400*time.Millisecond, "owner-key", "rotate", "--all")
		work.end()
		if last || round%2 == 1 {
			p.rotate("root-key", "rotate", "--to", to)
			p.rotate("owner-key", "rotate", "--all")
		}
		if round%3 == 2 {
			p.restart()
		}
	})
}

// checkOwnerKeys opens the owner keys of a folder without a server: each user has one.
func (p *rotationPlace) checkOwnerKeys() {
	p.t.Helper()
	db, err := sqlite.Open(p.t.Context(), filepath.Join(p.data, "keysake.db"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer db.Close()
	_, operator := openVault(p.t, p.data, db)
	keys, err := operator.ListRootKeys(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	wrapped := 0
	for _, k := range keys {
		wrapped += k.OwnerKeys
		if err := operator.OpenOwnerKeys(p.t.Context(), k.ID); err != nil {
			p.t.Error(err)
		}
	}
	if wrapped != p.users {
		p.t.Errorf("%d owner keys, want one for each of %d users", wrapped, p.users)
	}
}
