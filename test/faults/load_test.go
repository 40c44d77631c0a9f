package faults_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// A library is what one user was told of the secrets that the user has.
type library struct {
	name string
	key  plaintext.Value

	mu      sync.Mutex
	secrets map[string]kept // by name
}

// kept is what is known of one secret.
type kept struct {
	id     string            // empty before the create was answered
	values []plaintext.Value // one of these it has; only one after an answer
}

// A load is workers who write, each with clients of all servers. A worker repeats a request that
// was not answered, or with an error that says so, until it succeeds.
type load struct {
	t         *testing.T
	servers   []*process
	libraries []*library
	allowed   []int // statuses of answers after which a request is repeated

	answered atomic.Int64
	ended    atomic.Bool
	all      sync.WaitGroup

	mu      sync.Mutex
	errors  map[string]int // by what they are
	wrong   []string       // what must not be
	longest time.Duration  // of a request
	last    time.Time      // of a success
	gap     time.Duration  // the longest without a success
}

const (
	loadUsers   = 4
	loadWorkers = 3 // for each user
	mostSecrets = 40
)

// newLoad makes users who will work with all servers.
func newLoad(t *testing.T, servers []*process) *load {
	t.Helper()
	l := &load{
		t: t, servers: servers, errors: map[string]int{},
		allowed: []int{http.StatusServiceUnavailable, http.StatusGatewayTimeout},
	}
	t.Cleanup(func() { l.ended.Store(true) }) // when the test ended by an error
	for i := range loadUsers {
		name := fmt.Sprintf("user-%d", i)
		l.libraries = append(l.libraries, &library{
			name: name, key: servers[0].newUser(name), secrets: map[string]kept{},
		})
	}
	return l
}

// begin lets the workers work until [load.end].
func (l *load) begin() {
	l.ended.Store(false)
	l.mu.Lock()
	l.last = time.Now()
	l.mu.Unlock()
	for i, library := range l.libraries {
		for j := range loadWorkers {
			w := &worker{
				load: l, library: library, label: fmt.Sprintf("U%d_W%d", i, j), next: i + j,
			}
			for _, s := range l.servers {
				w.clients = append(w.clients, s.client(library.key))
			}
			l.all.Go(w.work)
		}
	}
}

// end lets every worker finish what it does: its last request succeeds, too.
func (l *load) end() {
	l.t.Helper()
	l.ended.Store(true)
	finished := make(chan struct{})
	go func() { l.all.Wait(); close(finished) }()
	select {
	case <-finished:
	case <-time.After(patience):
		l.t.Fatalf("requests do not succeed any more: %s", l.summary())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, wrong := range l.wrong {
		l.t.Error(wrong)
	}
	l.wrong = nil
}

// fault keeps what must not be until [load.end]: a worker may outlive the test.
func (l *load) fault(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
}

// reach waits until so many more changes were answered.
func (l *load) reach(n int64) {
	l.t.Helper()
	goal := l.answered.Load() + n
	eventually(l.t, "enough requests are answered", func() error {
		if l.answered.Load() < goal {
			return errors.New(l.summary())
		}
		return nil
	})
}

// measureGap forgets how long there was no success.
func (l *load) measureGap() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gap, l.last = 0, time.Now()
}

// longestGap returns the longest time without a success since [load.measureGap].
func (l *load) longestGap() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gap
}

// failures returns how many requests had no success.
func (l *load) failures() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, times := range l.errors {
		n += times
	}
	return n
}

// What became of a request that was not answered: its connection ended, or could not be made; or it
// took longer than the client waits.
const (
	noAnswer = "no answer"
	late     = "no answer in 30 s"
)

// note keeps what became of a request.
func (l *load) note(began time.Time, what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.longest = max(l.longest, now.Sub(began))
	if what == "" {
		l.answered.Add(1)
		l.gap, l.last = max(l.gap, now.Sub(l.last)), now
		return
	}
	l.errors[what]++
}

// summary says what was answered so far.
func (l *load) summary() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%d changes answered, the longest request took %v", l.answered.Load(),
		l.longest.Round(time.Millisecond))
	for _, what := range slices.Sorted(maps.Keys(l.errors)) {
		fmt.Fprintf(&b, "; %d × %s", l.errors[what], what)
	}
	return b.String()
}

// A worker writes into one library, under names that are no other worker's.
type worker struct {
	load    *load
	library *library
	label   string
	clients []*client.Client
	next    int // the client whose turn it is
}

// work creates secrets, and updates those that it has created.
func (w *worker) work() {
	made := 0
	for name := range w.library.names(w.label) {
		made = max(made, 1+number(name))
	}
	for !w.load.ended.Load() {
		if made < mostSecrets && (made == 0 || rand.IntN(3) > 0) {
			w.create(fmt.Sprintf("%s_%d", w.label, made))
			made++
			continue
		}
		w.update(fmt.Sprintf("%s_%d", w.label, rand.IntN(made)))
	}
}

func number(name string) (n int) {
	_, _ = fmt.Sscanf(name[strings.LastIndexByte(name, '_')+1:], "%d", &n)
	return n
}

// names returns the names that a worker has used.
func (l *library) names(label string) map[string]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := map[string]bool{}
	for name := range l.secrets {
		if strings.HasPrefix(name, label+"_") {
			found[name] = true
		}
	}
	return found
}

func (w *worker) create(name string) {
	value := newValue()
	w.library.set(name, kept{values: []plaintext.Value{value}})
	var made wire.Secret
	key := fmt.Sprintf("%s-%d", name, rand.Uint64())
	if w.repeat(func(ctx context.Context, c *client.Client) (err error) {
		made, err = c.CreateSecret(client.WithIdempotencyKey(ctx, key),
			wire.CreateSecret{Name: name, Value: value})
		return err
	}) {
		w.library.set(name, kept{id: made.ID, values: []plaintext.Value{value}})
	}
}

func (w *worker) update(name string) {
	before, value := w.library.get(name), newValue()
	if before.id == "" {
		return
	}
	w.library.set(name, kept{before.id, append(slices.Clone(before.values), value)})
	if w.repeat(func(ctx context.Context, c *client.Client) error {
		_, err := c.UpdateSecret(ctx, before.id, wire.UpdateSecret{Value: value})
		return err
	}) {
		w.library.set(name, kept{before.id, []plaintext.Value{value}})
	}
}

func (l *library) get(name string) kept {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.secrets[name]
}

func (l *library) set(name string, k kept) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.secrets[name] = k
}

// newValue returns a value whose mask shows some of it.
func newValue() plaintext.Value {
	return plaintext.FromString(fmt.Sprintf("%016x%016x%016x", rand.Uint64(), rand.Uint64(),
		rand.Uint64()))
}

// repeat makes a request of one server after the other until it succeeds, and reports whether it
// did. An error that must not be is one of the test.
func (w *worker) repeat(do func(context.Context, *client.Client) error) bool {
	for end := time.Now().Add(patience); time.Now().Before(end); {
		c := w.clients[w.next%len(w.clients)]
		w.next++
		began := time.Now()
		err := do(context.Background(), c)
		refused, answered := errors.AsType[*client.Error](err)
		switch {
		case err == nil:
			w.load.note(began, "")
			return true
		case !answered && errors.Is(err, context.DeadlineExceeded):
			w.load.note(began, late)
		case !answered:
			w.load.note(began, noAnswer)
		case refused.Type == "":
			w.load.fault("an answer is not in the envelope: %v", err)
			return false
		case slices.Contains(w.load.allowed, refused.Status):
			w.load.note(began, fmt.Sprintf("%d %s", refused.Status, refused.Detail))
		default:
			w.load.note(began, err.Error())
			w.load.fault("a server answered: %v", err)
			return false
		}
		time.Sleep(20 * time.Millisecond)
	}
	return false
}

// check compares what every server shows with what was answered.
func (l *load) check() {
	l.t.Helper()
	for _, s := range l.servers {
		for _, library := range l.libraries {
			library.check(l.t, s)
		}
	}
}

func (l *library) check(t *testing.T, s *process) {
	t.Helper()
	list, err := s.client(l.key).ListSecrets(t.Context())
	apptest.Must(t, err)
	there := map[string]wire.Secret{}
	for _, n := range list.Secrets {
		there[n.Name] = n
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, k := range l.secrets {
		found, ok := there[name]
		switch {
		case !ok && k.id != "":
			t.Errorf("%s of %s was answered, and is gone", name, l.name)
		case ok && k.id != "" && found.ID != k.id:
			t.Errorf("%s of %s has another id than was answered", name, l.name)
		case ok && !slices.ContainsFunc(k.values, func(v plaintext.Value) bool {
			return catalog.Mask(v) == found.MaskedValue
		}):
			t.Errorf("%s of %s has the mask of no value that it may have", name, l.name)
		}
	}
	for name := range there {
		if _, known := l.secrets[name]; !known {
			t.Errorf("%s of %s is there, and nobody made it", name, l.name)
		}
	}
}
