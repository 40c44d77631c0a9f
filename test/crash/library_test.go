package crash_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// A library is what one user was told of the secrets that the user has. Each name is one worker's,
// who does one thing at a time.
type library struct {
	userID string
	key    plaintext.Value

	mu     sync.Mutex
	states map[string]state // by name
}

// A state is what may be there under a name: after an answer one thing, before it the old or the
// new.
type state struct {
	id     string // empty before the create was answered
	absent bool   // there may be none
	values []plaintext.Value
}

func newLibrary(p *process, name string) *library {
	p.t.Helper()
	id, key := p.newUser(name)
	return &library{userID: id, key: key, states: map[string]state{}}
}

func (l *library) get(name string) state {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.states[name]
}

func (l *library) set(name string, s state) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.states[name] = s
}

// allows tells whether value may be what is there.
func (s state) allows(value plaintext.Value) bool {
	for _, v := range s.values {
		if bytes.Equal(v.Reveal(), value.Reveal()) {
			return true
		}
	}
	return false
}

// change does something to the secret of a name, and keeps book: the old state or the new until
// there is an answer, the new one after a success, and the old one after a refusal.
func (l *library) change(name string, after state, do func() (wire.Secret, error)) error {
	before := l.get(name)
	l.set(
		name,
		state{
			id:     before.id,
			absent: before.absent || after.absent,
			values: append(append([]plaintext.Value{}, before.values...), after.values...),
		},
	)
	made, err := do()
	refused, answered := errors.AsType[*client.Error](err)
	switch {
	case err == nil:
		if after.id == "" && !after.absent {
			after.id = made.ID
		}
		l.set(name, after)
	case answered && refused.Type != "":
		l.set(name, before)
	}
	return err
}

func (l *library) create(
	ctx context.Context, c *client.Client, name string, value plaintext.Value,
) error {
	l.set(name, state{absent: true})
	return l.change(name, state{values: []plaintext.Value{value}}, func() (wire.Secret, error) {
		return c.CreateSecret(ctx, wire.CreateSecret{Name: name, Value: value})
	})
}

func (l *library) update(
	ctx context.Context, c *client.Client, name string, value plaintext.Value,
) error {
	id := l.get(name).id
	return l.change(
		name,
		state{id: id, values: []plaintext.Value{value}},
		func() (wire.Secret, error) {
			return c.UpdateSecret(ctx, id, wire.UpdateSecret{Value: value})
		},
	)
}

func (l *library) remove(ctx context.Context, c *client.Client, name string) error {
	id := l.get(name).id
	return l.change(name, state{id: id, absent: true}, func() (wire.Secret, error) {
		return wire.Secret{}, c.DeleteSecret(ctx, id)
	})
}

// A worker writes into one library, under names that are no other worker's.
type worker struct {
	library *library
	label   string
	random  *rand.Rand
	made    int      // how many names were used
	mine    []string // the names that are surely there
}

func newWorkers(libraries []*library, each int, random *rand.Rand) []*worker {
	var all []*worker
	for i, l := range libraries {
		for j := range each {
			all = append(all, &worker{
				library: l,
				label:   fmt.Sprintf("U%d_W%d", i, j),
				random:  rand.New(rand.NewPCG(random.Uint64(), random.Uint64())),
			})
		}
	}
	return all
}

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func text(random *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[random.IntN(len(alphabet))]
	}
	return string(b)
}

// value returns a value whose mask shows some of it, or, now and then, one that is too short for
// that or very long.
func (w *worker) value() plaintext.Value {
	switch w.random.IntN(20) {
	case 0:
		return plaintext.FromString(text(w.random, 1+w.random.IntN(24)))
	case 1:
		return plaintext.FromString(text(w.random, 1000+w.random.IntN(20_000)))
	}
	return plaintext.FromString(text(w.random, 25+w.random.IntN(100)))
}

// mostOfWorker is how many secrets a worker keeps: to check them all takes its time.
const mostOfWorker = 50

// step does one thing: mostly it creates a secret, at times it updates or deletes one of its own.
func (w *worker) step(ctx context.Context, c *client.Client) error {
	what := w.random.IntN(10)
	if len(w.mine) == 0 || what < 7 && len(w.mine) < mostOfWorker {
		name := fmt.Sprintf("%s_%d", w.label, w.made)
		w.made++
		err := w.library.create(ctx, c, name, w.value())
		if err == nil {
			w.mine = append(w.mine, name)
		}
		return err
	}
	at := w.random.IntN(len(w.mine))
	name := w.mine[at]
	if what < 9 {
		return w.library.update(ctx, c, name, w.value())
	}
	w.mine = append(w.mine[:at], w.mine[at+1:]...)
	return w.library.remove(ctx, c, name)
}

// A load is workers at work.
type load struct {
	t        *testing.T
	answered atomic.Int64 // successes
	failed   atomic.Int64
	ended    atomic.Bool
	all      sync.WaitGroup
}

// startLoad lets the workers work until the server is gone.
func startLoad(t *testing.T, p *process, workers []*worker) *load {
	t.Helper()
	l := &load{t: t}
	for _, w := range workers {
		c := p.client(w.library.key)
		l.repeat(func() error { return w.step(context.Background(), c) })
	}
	return l
}

// repeat begins to do a worker's step again and again until the end, or until the server is gone. A
// refusal is a failure of the test.
func (l *load) repeat(step func() error) {
	l.all.Go(func() {
		for !l.ended.Load() {
			err := step()
			if refused, ok := errors.AsType[*client.Error](err); ok {
				l.t.Errorf("the server answered %d: %v", refused.Status, err)
			}
			if err != nil {
				l.failed.Add(1)
				return
			}
			l.answered.Add(1)
		}
	})
}

// reach waits until so many changes were answered.
func (l *load) reach(p *process, n int64) {
	l.t.Helper()
	p.until("answers enough requests", func() bool { return l.answered.Load() >= n })
}

// end lets every worker finish what it does: the server is still there.
func (l *load) end() {
	l.t.Helper()
	l.ended.Store(true)
	l.all.Wait()
	if n := l.failed.Load(); n > 0 {
		l.t.Errorf("%d workers got an error", n)
	}
}

// settle notes for every worker which names are there, now that it is certain.
func settle(workers []*worker) {
	for _, w := range workers {
		w.mine = w.mine[:0]
		for i := range w.made {
			name := fmt.Sprintf("%s_%d", w.label, i)
			if !w.library.get(name).absent {
				w.mine = append(w.mine, name)
			}
		}
	}
}

// status returns the status of an answer that is an error, 200 if there is no error, and 0 if there
// was no answer.
func status(err error) int {
	if err == nil {
		return http.StatusOK
	}
	if refused, ok := errors.AsType[*client.Error](err); ok {
		return refused.Status
	}
	return 0
}
