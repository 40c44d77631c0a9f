package vault

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/seal"
)

// An Evidence is what the answer to a request at the broker shows of the key that was attached. It
// is never proof: a path may want another kind of key.
type Evidence int

// What is shown.
const (
	NothingShown Evidence = iota
	KeyWorked             // the provider did what was asked
	KeyRefused            // the provider said that the key is not valid
)

// A KeyEvidence is what requests at the broker showed of one version of a secret: a help that
// nothing vouches for.
type KeyEvidence struct {
	Stamp     seal.Stamp // of the version; zero if nothing was shown
	WorkedAt  time.Time  // of the newest request that the provider did; zero for none
	RefusedAt time.Time  // of the newest one whose key it refused; zero for none
}

type evidenceWriter interface {
	// NoteEvidence adds what was shown of a user's secret, if the version is the current one.
	NoteEvidence(ctx context.Context, user, secret uuid.UUID, e KeyEvidence) error
	// HastenProbe makes a user's next probe on a schedule due at a time, if it is due later.
	HastenProbe(ctx context.Context, user uuid.UUID, at time.Time) error
}

// add adds what a request showed.
func (e *KeyEvidence) add(shown Evidence, at time.Time) {
	switch {
	case shown == KeyWorked && at.After(e.WorkedAt):
		e.WorkedAt = at
	case shown == KeyRefused && at.After(e.RefusedAt):
		e.RefusedAt = at
	}
}

// until returns what was shown until a time: what is later was made up, or is of a clock that is
// ahead.
func (e KeyEvidence) until(now time.Time) KeyEvidence {
	if e.WorkedAt.After(now) {
		e.WorkedAt = time.Time{}
	}
	if e.RefusedAt.After(now) {
		e.RefusedAt = time.Time{}
	}
	return e
}

// isRefused reports whether the provider refused the key, and did nothing since then.
func (e KeyEvidence) isRefused() bool { return e.RefusedAt.After(e.WorkedAt) }

// isNewsAfter reports whether there is something to store after what was stored last: another
// version, another sign, or the same one a while later.
func (e KeyEvidence) isNewsAfter(last KeyEvidence) bool {
	if e.Stamp != last.Stamp {
		return true
	}
	isNews := func(now, same, other time.Time) bool {
		return now.After(other) && other.After(same) || now.Sub(same) >= useInterval
	}
	return isNews(e.WorkedAt, last.WorkedAt, last.RefusedAt) ||
		isNews(e.RefusedAt, last.RefusedAt, last.WorkedAt)
}

// A secretRef names a secret, and shownOf what was shown of it.
type (
	secretRef struct{ user, secret uuid.UUID }
	shownOf   struct {
		secretRef
		KeyEvidence

		probeBy time.Time // the next probe, if it was refused
	}
)

// A notedEvidence remembers what was stored of secrets in the last minute, so that a key that is
// always in use is written of once in it, and when whose probes were made due at once. The next is
// due when it can be made: a key that is always refused has its user looked at no more often.
type notedEvidence struct {
	mu       sync.Mutex
	stored   map[secretRef]KeyEvidence
	hastened map[secretRef]time.Time
}

// of returns what requests show that is to be stored, in the order of the secrets.
func (v *notedEvidence) of(requests []BrokeredRequest, now time.Time) (news []shownOf) {
	type version struct {
		secretRef
		seal.Stamp
	}
	all := map[version]KeyEvidence{}
	for _, r := range requests {
		if r.Shown != NothingShown && r.Secret != uuid.Nil {
			of := version{secretRef{r.User, r.Secret}, r.Stamp}
			shown := all[of]
			shown.Stamp = r.Stamp
			shown.add(r.Shown, r.At)
			all[of] = shown
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for of, shown := range all {
		if shown.isNewsAfter(v.stored[of.secretRef]) {
			one := shownOf{secretRef: of.secretRef, KeyEvidence: shown}
			if shown.isRefused() {
				one.probeBy = now
				if last := v.hastened[of.secretRef]; !isOver(last, now, suspicionPause) {
					one.probeBy = last.Add(suspicionPause)
				}
			}
			news = append(news, one)
		}
	}
	slices.SortFunc(news, func(a, b shownOf) int {
		return cmp.Or(slices.Compare(a.secret[:], b.secret[:]),
			slices.Compare(a.Stamp[:], b.Stamp[:]))
	})
	return news
}

// keep remembers what was stored.
func (v *notedEvidence) keep(news []shownOf, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	maps.DeleteFunc(v.stored, func(_ secretRef, e KeyEvidence) bool {
		return isOver(e.WorkedAt, now, useInterval) &&
			isOver(e.RefusedAt, now, useInterval)
	})
	maps.DeleteFunc(v.hastened, func(_ secretRef, at time.Time) bool {
		return isOver(at, now, suspicionPause)
	})
	if v.stored == nil {
		v.stored, v.hastened = map[secretRef]KeyEvidence{}, map[secretRef]time.Time{}
	}
	for _, shown := range news {
		if _, recent := v.hastened[shown.secretRef]; !recent && !shown.probeBy.IsZero() {
			v.hastened[shown.secretRef] = now
		}
		was := v.stored[shown.secretRef]
		if was.Stamp != shown.Stamp {
			was = KeyEvidence{Stamp: shown.Stamp}
		}
		was.add(KeyWorked, shown.WorkedAt)
		was.add(KeyRefused, shown.RefusedAt)
		v.stored[shown.secretRef] = was
	}
}

// noteEvidence stores what requests showed.
func noteEvidence(ctx context.Context, tx Tx, news []shownOf) error {
	for _, shown := range news {
		if err := tx.NoteEvidence(ctx, shown.user, shown.secret, shown.KeyEvidence); err != nil {
			return err
		}
	}
	return nil
}

// hastenProbes has the providers asked of keys that they refused, if the users want that. It comes
// first in its transaction: a change of a user locks the user before what the user has, too.
func hastenProbes(ctx context.Context, tx Tx, news []shownOf) error {
	byUser := slices.SortedFunc(slices.Values(news), func(a, b shownOf) int {
		return slices.Compare(a.user[:], b.user[:])
	})
	for _, shown := range byUser {
		if shown.probeBy.IsZero() {
			continue
		}
		if err := tx.HastenProbe(ctx, shown.user, shown.probeBy); err != nil {
			return err
		}
	}
	return nil
}

// isSuspected reports whether a request at the broker is reason to think that the key does not work
// any more: newer than what the provider said when it was asked, if that tells.
func (h *Health) isSuspected() bool {
	isKnown := h.Outcome == catalog.OutcomeInvalid ||
		h.Outcome.IsValid() && !h.RefusedAt.After(h.At)
	return h.isRefused() && !isKnown
}
