package vault

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/seal"
)

// A DoneRequest remembers that a request was done, so that it changes nothing when it is sent
// again. It has nothing of the answer, which is made again from what the request made.
type DoneRequest struct {
	User        uuid.UUID // who asked
	Key         [sha256.Size]byte
	Request     [sha256.Size]byte // a code over the request: its hash would tell a short value
	Action      string
	Resource    uuid.UUID // what it made or changed; of an action that says so, something else
	Version     uint64    // of a secret, after it; 0 for others
	ExpiresAt   time.Time
	InstanceKey uuid.UUID // that made Code and Request
	Code        [sha256.Size]byte
}

type doneRequestReader interface {
	// DoneRequest returns what is remembered under a user's key. NotFound: nothing.
	DoneRequest(ctx context.Context, user uuid.UUID, key [sha256.Size]byte) (DoneRequest, error)
}

type doneRequestWriter interface {
	// InsertDoneRequest remembers a request. Conflict: one of this user has the key.
	InsertDoneRequest(ctx context.Context, d DoneRequest) error
	// DeleteStaleRequest forgets what is remembered under the key of a request, if it is remembered
	// no longer than a time or another instance key made its code.
	DeleteStaleRequest(ctx context.Context, d DoneRequest, at time.Time) error
	// DeleteDoneRequests forgets everything that a user asked.
	DeleteDoneRequests(ctx context.Context, user uuid.UUID) error
	// DeleteExpiredRequests forgets requests of anyone that are remembered no longer than a time, a
	// few at once.
	DeleteExpiredRequests(ctx context.Context, at time.Time) error
}

// Row is what the code of a row is about. It says that the row decides: nothing else lists it.
func (d DoneRequest) Row() anchor.Row {
	return anchor.NewRow("done-request").ID(d.User).Bytes(d.Key[:]).Bytes(d.Request[:]).
		Text(d.Action).ID(d.Resource).Number(d.Version).Time(d.ExpiresAt)
}

// keyed returns the code over a request that the row has.
func (d DoneRequest) keyed(key seal.InstanceKey, request [sha256.Size]byte) [sha256.Size]byte {
	row := anchor.NewRow("request").ID(d.User).Bytes(d.Key[:]).Bytes(request[:])
	return row.Code(key)
}

// insertDone stores a row with its code. It forgets some that have expired, and the one of the same
// key if that does not count.
func insertDone(
	ctx context.Context, tx Tx, key seal.InstanceKey, d DoneRequest, now time.Time,
) error {
	d.InstanceKey = key.ID()
	d.Code = d.Row().Code(key)
	if err := tx.DeleteExpiredRequests(ctx, now); err != nil {
		return err
	}
	if err := tx.DeleteStaleRequest(ctx, d, now); err != nil {
		return err
	}
	return tx.InsertDoneRequest(ctx, d)
}

// doneRequest returns what is remembered of a request under one of its names. NotFound: nothing.
// Invalid: it was another request.
//
// A row that an instance key signed which is no longer believed counts as little as one that is
// not there. Who can write the database can have that anyway, by removing it.
func (s *snapshot) doneRequest(
	ctx context.Context, who Actor, name OnceKey,
) (DoneRequest, error) {
	d, err := s.rows.DoneRequest(ctx, who.User, name.Hash)
	if err != nil {
		return d, err
	}
	key, believed := s.core.instance.get(d.InstanceKey)
	if !believed {
		return d, ErrNotFound
	}
	what := "request that user " + who.User.String() + " made"
	if d.User != who.User || d.Key != name.Hash {
		return d, tampered(what, errIndex)
	}
	if !d.Row().HasCode(key, d.Code) {
		return d, tampered(what, errNoCode)
	}
	if !d.ExpiresAt.After(s.core.time()) {
		return d, ErrNotFound
	}
	request := d.keyed(key, who.Once.Request)
	if subtle.ConstantTimeCompare(request[:], d.Request[:]) != 1 {
		return d, &Error{
			Kind:   Invalid,
			Detail: "Another request had this Idempotency-Key: use one key for one request",
			Cause:  ErrOtherRequest,
		}
	}
	return d, nil
}

var errNoCode = errors.New("the row does not have its code: it was added, changed or moved")
