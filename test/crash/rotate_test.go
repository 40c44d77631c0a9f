package crash_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/store/sqlite"
	"github.com/keysake/keysake/internal/vault/vaulttest"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// rotationUsers is more than what a rotation changes in one transaction.
const rotationUsers = 230

// rotationBinary builds the program once.
var rotationBinary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "keysake-crash-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "keysake")
	out, err := exec.Command("go", "build", "-o", path, "github.com/keysake/keysake/cmd/keysake").
		CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

// A rotationPlace is a folder on which a server runs under load while rotations are killed.
type rotationPlace struct {
	t      *testing.T
	binary string
	dir    string
	data   string
	cmd    *exec.Cmd
	url    string
	made   int // users beyond the first

	mu    sync.Mutex
	keys  map[string]plaintext.Value            // of the users, by name
	known map[string]map[string]plaintext.Value // the values that were answered, by user and name
}

func newRotationPlace(t *testing.T) *rotationPlace {
	t.Helper()
	binary, err := rotationBinary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p := &rotationPlace{
		t:      t,
		binary: binary,
		dir:    dir,
		data:   filepath.Join(dir, "data"),
		keys:   map[string]plaintext.Value{},
		known:  map[string]map[string]plaintext.Value{},
	}
	p.serve()
	t.Cleanup(p.kill)
	admin := p.client("dev")
	for i := range rotationUsers {
		name := fmt.Sprint("user-", i)
		user, err := admin.CreateUser(t.Context(), wire.CreateUser{Username: name})
		if err != nil {
			t.Fatal(err)
		}
		if i >= 4 {
			continue // these only have an owner key
		}
		key, err := admin.CreateAPIKeyFor(t.Context(), user.ID, wire.CreateAPIKey{})
		if err != nil {
			t.Fatal(err)
		}
		p.keys[name], p.known[name] = plaintext.FromString(key.Key), map[string]plaintext.Value{}
	}
	return p
}

var rotationListening = regexp.MustCompile(`(?m)^Keysake is listening on (\S+)$`)

func (p *rotationPlace) serve() {
	p.t.Helper()
	var out, logs apptest.Buffer
	p.cmd = exec.Command(
		p.binary, "serve", "--dev", "--listen", "127.0.0.1:0", "--data", p.data, "--rate-limit",
		"0", "--max-secrets", "100000",
	)
	p.cmd.Stdout, p.cmd.Stderr = &out, &logs
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if m := rotationListening.FindStringSubmatch(out.String()); m != nil {
			p.url = m[1]
			break
		}
		if time.Now().After(deadline) {
			p.kill()
			p.t.Fatalf("the server does not listen\n%s", logs.String())
		}
	}
	key, err := os.ReadFile(filepath.Join(p.data, "dev-api-key"))
	if err != nil {
		p.t.Fatal(err)
	}
	p.keys["dev"] = plaintext.New(key)
}

// kill is kill -9.
func (p *rotationPlace) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	_ = p.cmd.Wait()
}

func (p *rotationPlace) client(user string) *client.Client {
	p.t.Helper()
	c, err := client.New(p.url, p.keys[user])
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

// mostOfRound is how many secrets a user gets in one round, so that no library is full.
const mostOfRound = 30

// load creates secrets until stop, then updates them, and notes what was answered. Every answer
// must be a success.
func (p *rotationPlace) load(
	ctx context.Context, round int, stop *atomic.Bool, all *sync.WaitGroup,
) {
	for user := range p.known {
		c := p.client(user)
		all.Go(func() {
			var ids []string
			for i := 0; !stop.Load(); i++ {
				name := fmt.Sprintf("R%d_%d", round, i%mostOfRound)
				value := plaintext.FromString(fmt.Sprint("value of nobody ", i, user, name))
				var made wire.Secret
				var err error
				if i < mostOfRound {
					in := wire.CreateSecret{Name: name, Value: value}
					made, err = c.CreateSecret(ctx, in)
					ids = append(ids, made.ID)
				} else {
					in := wire.UpdateSecret{Value: value}
					_, err = c.UpdateSecret(ctx, ids[i%mostOfRound], in)
				}
				if err != nil {
					p.t.Errorf("a change during a rotation: %v", err)
					return
				}
				p.mu.Lock()
				p.known[user][name] = value
				p.mu.Unlock()
			}
		})
	}
}

// rotate runs a rotation and kills it after a time, unless it is 0.
func (p *rotationPlace) rotate(after time.Duration, args ...string) {
	p.t.Helper()
	cmd := exec.Command(p.binary,
		append(args, "--data", p.data, "--keys", filepath.Join(p.data, "keysake.keys"))...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	if after > 0 {
		timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() }) // it may have ended
		defer timer.Stop()
	}
	err := cmd.Wait()
	// -1: killed
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil &&
		(!ok || exit.ExitCode() >= 0) {
		p.t.Errorf("%v: %v\n%s", args, err, &errs)
	}
}

func TestNothingIsLostWhenRotationsAreKilled(t *testing.T) {
	eachRound(t, rounds(t, 6), func(p *rotationPlace, round int) {
		var stop atomic.Bool
		var all sync.WaitGroup
		p.load(t.Context(), round, &stop, &all)
		// the second of two goes on with the first
		to := "file:" + filepath.Join(p.dir, fmt.Sprint("root-", round/2))
		p.rotate(time.Duration(1+rand.IntN(150))*time.Millisecond, "root-key", "rotate", "--to", to)
		p.rotate(time.Duration(1+rand.IntN(400))*time.Millisecond, "owner-key", "rotate", "--all")
		stop.Store(true)
		all.Wait()
		if round%2 == 1 {
			p.rotate(0, "root-key", "rotate", "--to", to)
			p.rotate(0, "owner-key", "rotate", "--all")
		}
		if round%3 == 2 {
			p.kill()
			p.serve()
		}
		p.assertListed()
	})
}

// eachRound does so many rounds, and checks what is there after the last. Every few rounds begin
// with another folder: one that grew for all of them would make them slow.
func eachRound(t *testing.T, rounds int, do func(p *rotationPlace, round int)) {
	t.Helper()
	const inOnePlace = 6
	for first := 0; first < rounds; first += inOnePlace {
		p := newRotationPlace(t)
		for round := range min(inOnePlace, rounds-first) {
			do(p, round)
			if t.Failed() {
				t.Fatalf("in round %d", first+round)
			}
		}
		p.kill()
		p.serve() // the folder still has the mark of --dev
		p.assertListed()
		p.kill()
		p.assertOpen()
	}
}

// assertListed checks that a server shows everything that was answered.
func (p *rotationPlace) assertListed() {
	p.t.Helper()
	for user, secrets := range p.known {
		list, err := p.client(user).ListSecrets(p.t.Context())
		if err != nil {
			p.t.Fatal(err)
		}
		if list.Total != len(secrets) {
			p.t.Fatalf("%s has %d secrets, want %d", user, list.Total, len(secrets))
		}
	}
}

// assertOpen opens the folder without a server: every owner key opens, and every value is the one
// that was answered last.
func (p *rotationPlace) assertOpen() {
	p.t.Helper()
	db, err := sqlite.Open(p.t.Context(), filepath.Join(p.data, "keysake.db"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer db.Close()
	v, operator := openVault(p.t, p.data, db)
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
	if users := rotationUsers + 1 + p.made; wrapped != users {
		p.t.Errorf("%d owner keys, want one for each of %d users", wrapped, users)
	}
	opened := 0
	for user, secrets := range p.known {
		who, err := v.Authenticate(p.t.Context(), p.keys[user])
		if err != nil {
			p.t.Fatal(err)
		}
		list, err := v.ListSecrets(p.t.Context(), who)
		if err != nil {
			p.t.Fatal(err)
		}
		for _, s := range list {
			value, err := vaulttest.OpenSecret(p.t.Context(), v, who, s.ID)
			if err != nil || !bytes.Equal(value.Reveal(), secrets[s.Name].Reveal()) {
				p.t.Errorf("%s of %s does not open to what was answered: %v", s.Name, user, err)
			}
			opened++
		}
	}
	p.t.Logf("%d values opened, %d root keys", opened, len(keys))
}
