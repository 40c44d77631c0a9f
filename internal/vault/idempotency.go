package vault

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/google/uuid"
)

// onceFor is how long a request with an Idempotency-Key is remembered.
const onceFor = 24 * time.Hour

// A Once identifies a request that changes something once: sent again, it changes nothing and is
// answered as before.
type Once struct {
	Keys    []OnceKey
	Request [sha256.Size]byte // a hash of the whole request. It is stored under a key only.
}

// A OnceKey is a name of a request, which no other request of the same user has.
type OnceKey struct {
	Hash  [sha256.Size]byte
	Until time.Time // how long it is remembered; the zero time stands for a day
}

// IdempotencyKey is the name that a client gave a request.
func IdempotencyKey(text string) OnceKey {
	return OnceKey{Hash: sha256.Sum256([]byte("idempotency key\n" + text))}
}

// lateFor is how long after the end of its key a request may still be done, which was opened
// before; and by how much the clocks of servers may differ.
const lateFor = time.Hour

// SealedKey is the name of a sealed request, which follows from what encapsulates its key. It is
// remembered until the server no longer opens what is sealed for the same key, and a while longer.
func SealedKey(encapsulated []byte, until time.Time) OnceKey {
	return OnceKey{
		Hash:  sha256.Sum256(append([]byte("sealed request\n"), encapsulated...)),
		Until: until.Add(lateFor),
	}
}

// ErrOtherRequest is in the cause of the [Invalid] error for a request that has the name of another
// one.
var ErrOtherRequest = errors.New("another request had this name")

// A doneBefore is in the cause of the error of a request that was done before. A use case that can
// say its answer again catches it.
type doneBefore struct {
	id      uuid.UUID // what the request made or changed
	version uint64    // of a secret, at that time
}

func (*doneBefore) Error() string { return "the request was done before" }

// answered returns what the request of the error made or changed, if it was done before.
func answered(err error) (*doneBefore, bool) { return errors.AsType[*doneBefore](err) }

// goneSince is the error of a request that was done before, whose answer cannot be said again.
func goneSince(err error) error {
	return &Error{
		Kind: Conflict, Cause: err,
		Detail: "This request was done before, and what it made is gone: send a new one",
	}
}

// once returns the error of a request that was done before, or that has the name of another one.
func (s *snapshot) once(ctx context.Context, who Actor) error {
	if who.Once == nil {
		return nil
	}
	var missing []OnceKey
	var found DoneRequest
	for _, key := range who.Once.Keys {
		done, err := s.doneRequest(ctx, who, key)
		switch {
		case errors.Is(err, ErrNotFound):
			missing = append(missing, key)
		case err != nil:
			return err
		default:
			found = done
		}
	}
	if len(missing) == len(who.Once.Keys) {
		return nil
	}
	return &Error{
		Kind:   Conflict,
		Detail: "This request was done before: read what there is now",
		Cause: errors.Join(
			&doneBefore{found.Resource, found.Version},
			&unnamed{found, missing, who.Once.Request}),
	}
}

// An unnamed is in the cause of the error of a request that was done before and had not all of the
// names that it has now.
type unnamed struct {
	done    DoneRequest
	keys    []OnceKey
	request [sha256.Size]byte
}

func (*unnamed) Error() string { return "it had other names" }

// nameAgain remembers the further names of a request that was done before, and returns err.
func (c *core) nameAgain(ctx context.Context, err error) error {
	again, ok := errors.AsType[*unnamed](err)
	if !ok || len(again.keys) == 0 {
		return err
	}
	key, keyErr := c.instance.first()
	if keyErr != nil {
		return keyErr
	}
	updateErr := c.store.Update(ctx, func(tx Tx) error {
		for _, name := range again.keys {
			done := again.done
			done.Key, done.ExpiresAt = name.Hash, name.until(c.time())
			done.Request = done.keyed(key, again.request)
			if err := insertDone(ctx, tx, key, done, c.time()); err != nil {
				return err
			}
		}
		return nil
	})
	if updateErr != nil && KindOf(updateErr) != Conflict { // a twin was faster
		return updateErr
	}
	return err
}

func (k OnceKey) until(now time.Time) time.Time {
	if k.Until.IsZero() {
		return now.Add(onceFor)
	}
	return k.Until.UTC().Truncate(time.Microsecond)
}

// answer says what a request made or changed, if that is not its first target.
func (c *change) answer(id uuid.UUID) { c.answersWith = id }

// remember stores that the request was done, under each of its names.
func (c *change) remember(ctx context.Context, in intent) error {
	if in.who.Once == nil {
		return nil
	}
	key, err := c.core.instance.first()
	if err != nil {
		return err
	}
	done := DoneRequest{User: in.who.User, Action: string(in.action), Resource: c.answersWith}
	if done.Resource == uuid.Nil && len(c.entries) > 0 {
		first := c.entries[0].Target
		done.Resource, done.Version = first.ID, first.Version
	}
	for _, name := range in.who.Once.Keys {
		done.Key, done.ExpiresAt = name.Hash, name.until(c.at)
		done.Request = done.keyed(key, in.who.Once.Request)
		err := insertDone(ctx, c.tx, key, done, c.at)
		if err != nil {
			return withDetail(err, "A request of the same name is being done: try again later")
		}
	}
	return nil
}
