package issuer

import (
	"context"
	"errors"
	"slices"
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
)

// A keySet has the keys of one issuer.
type keySet struct {
	turn  chan struct{} // has one element while somebody looks at the rest
	keys  []publicKey
	read  time.Time // when the issuer last said which they are
	asked time.Time // when it was last asked
	err   error     // of then
}

var errUnknownKey = errors.New("the issuer has no such key")

// key returns the issuer's key of an id for an algorithm. Unauthenticated: it has none.
// BadGateway: its keys cannot be had.
func (v *Verifier) key(ctx context.Context, issuer, id, alg string) (any, error) {
	set := v.keysOf(issuer)
	select {
	case set.turn <- struct{}{}:
		defer func() { <-set.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	now := v.now()
	key, found := set.find(id, alg)
	if (!found || now.Sub(set.read) > maxAge) && now.Sub(set.asked) >= pause {
		v.refresh(ctx, set, issuer)
		key, found = set.find(id, alg)
	}
	switch {
	case now.Sub(set.read) > maxStale:
		return nil, &vault.Error{
			Kind: vault.BadGateway, Detail: "The issuer's keys cannot be had", Cause: set.err,
		}
	case !found:
		return nil, refused("the issuer has no key for it", errUnknownKey)
	}
	return key, nil
}

func (v *Verifier) keysOf(issuer string) *keySet {
	set := &keySet{turn: make(chan struct{}, 1)}
	if before, found, _ := v.known.PeekOrAdd(issuer, set); found {
		v.known.Get(issuer) // it was used
		return before
	}
	return set
}

// refresh asks the issuer. It goes on when the caller leaves, who could otherwise keep others from
// the answer.
func (v *Verifier) refresh(ctx context.Context, set *keySet, issuer string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTime)
	defer cancel()
	set.asked = v.now()
	keys, err := v.fetch(ctx, issuer)
	if set.err = err; err == nil {
		set.keys, set.read = keys, set.asked
	}
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
