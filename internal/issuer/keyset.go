package issuer

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/keysake/keysake/internal/vault"
)

const (
	// maxAge is how long keys are used before the issuer is asked again.
	maxAge = 15 * time.Minute
	// maxStale is how long they are used while the issuer does not answer.
	maxStale = time.Hour
	// pause is how long an issuer is not asked again, whatever tokens name.
	pause = 30 * time.Second
	// fetchTime is how long an issuer may take for both of its documents. A caller has 10 seconds.
	fetchTime = 8 * time.Second
	// maxWaiting is how many callers wait for one issuer: strangers make tokens of unknown keys.
	maxWaiting = 64
)

// A keySet has the keys of one issuer. Nobody waits for another set, and nobody for this one while
// it has the key that is wanted.
type keySet struct {
	mu      sync.Mutex
	said    discovery
	keys    []publicKey
	read    time.Time     // when the issuer last said which they are
	asked   time.Time     // when it was last asked
	err     error         // of then; nil while it is being asked
	failed  bool          // the time before
	fetched chan struct{} // closed when the fetch that is under way ends; nil for none
	waiting int
}

var (
	errUnknownKey = errors.New("the issuer has no such key")
	errPanicked   = errors.New("reading the keys of an issuer panicked")
	errKeysLater  = &vault.Error{
		Kind:   vault.Unavailable,
		Detail: "The issuer is being asked for its keys: try again in a few seconds",
	}
)

// key returns the issuer's key of an id for an algorithm. Unauthenticated: it has none.
// BadGateway: its keys cannot be had. Unavailable: it has not answered yet.
func (v *Verifier) key(ctx context.Context, issuer, id, alg string) (any, error) {
	var key any
	var found bool
	err := v.look(ctx, issuer, func(set *keySet) bool {
		key, found = set.find(id, alg)
		return found
	})
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, refused("the issuer has no key for it", errUnknownKey)
	}
	return key, nil
}

// described returns what an issuer says of itself. BadGateway: it cannot be asked.
func (v *Verifier) described(ctx context.Context, issuer string) (said discovery, err error) {
	err = v.look(ctx, issuer, func(set *keySet) bool {
		said = set.said
		return true
	})
	return said, err
}

// look shows what is known of an issuer to find, and once more after asking the issuer if it did
// not find what it looks for, or that is old. BadGateway: it is too old, or not what find looks
// for, and the issuer does not answer. Unavailable: it has not answered yet.
func (v *Verifier) look(ctx context.Context, issuer string, find func(*keySet) bool) error {
	set := v.keysOf(issuer)
	set.mu.Lock()
	defer set.mu.Unlock()
	found := find(set)
	age := v.now().Sub(set.read)
	if found && age <= maxAge {
		return nil
	}
	if set.fetched == nil && v.now().Sub(set.asked) >= pause {
		v.refresh(ctx, set, issuer)
	}
	// An issuer that did not answer before holds nobody up for whom what is known is still good.
	isGood := found && age <= maxStale && set.failed
	if set.fetched != nil && !isGood {
		if err := set.wait(ctx); err != nil {
			return err
		}
		found = find(set)
	}
	if set.read.IsZero() && set.err == nil {
		return errKeysLater // it was asked just now, and what it said is not kept any more
	}
	if v.now().Sub(set.read) > maxStale || !found && set.err != nil {
		return &vault.Error{
			Kind: vault.BadGateway, Detail: "The issuer's keys cannot be had", Cause: set.err,
		}
	}
	return nil
}

// wait waits for the fetch that is under way, for which the lock is given back. Unavailable: the
// caller cannot wait as long, or too many do.
func (s *keySet) wait(ctx context.Context) error {
	if s.waiting >= maxWaiting {
		return errKeysLater
	}
	s.waiting++
	fetched := s.fetched
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.waiting--
	}()
	select {
	case <-fetched:
		return nil
	case <-ctx.Done():
		return errKeysLater
	}
}

func (v *Verifier) keysOf(issuer string) *keySet {
	set := new(keySet)
	set.asked, _ = v.asked.Peek(issuer)
	if before, found, _ := v.known.PeekOrAdd(issuer, set); found {
		v.known.Get(issuer) // it was used
		return before
	}
	return set
}

// refresh begins to ask the issuer, for all who wait. It goes on when the caller leaves, who could
// otherwise keep others from the answer.
func (v *Verifier) refresh(ctx context.Context, set *keySet, issuer string) {
	set.asked, set.failed, set.err = v.now(), set.err != nil, nil
	v.asked.Add(issuer, set.asked)
	fetched := make(chan struct{})
	set.fetched = fetched
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTime)
	go func() {
		defer cancel()
		said, keys, err := v.fetchSafely(ctx, issuer)
		set.mu.Lock()
		defer set.mu.Unlock()
		if set.err = err; err == nil {
			set.said, set.keys, set.read = said, keys, set.asked
		}
		set.fetched = nil
		close(fetched)
	}()
}

// fetchSafely is fetch, in which a panic is an error: it would end the process.
func (v *Verifier) fetchSafely(
	ctx context.Context, issuer string,
) (said discovery, keys []publicKey, err error) {
	defer func() {
		if recover() != nil {
			said, keys, err = discovery{}, nil, errPanicked
		}
	}()
	return v.fetch(ctx, issuer)
}

// find returns the key of an id for an algorithm. Without an id it is the only one that fits.
func (s *keySet) find(id, alg string) (any, bool) {
	fits := func(k publicKey) bool { return k.fits(alg) && (id == "" || k.id == id) }
	at := slices.IndexFunc(s.keys, fits)
	if at < 0 || slices.ContainsFunc(s.keys[at+1:], fits) {
		return nil, false // none, or several: which one is not for us to guess
	}
	return s.keys[at].key, true
}
