package storetest

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

func doneRequestBehaviours() []behaviour {
	return []behaviour{
		{"a request is read back as it was remembered, by its user and key", func(s subject) {
			ann, bea := s.addUser("ann").Owner, s.addUser("bea").Owner
			d := s.addDone(doneOf(ann, 0))
			other := d
			other.User, other.Action = bea, "lease.create"
			s.addDone(other)
			s.wantSame("ann's", got(s, readDone(d)), d)
			s.wantSame("bea's", got(s, readDone(other)), other)
			missing(s, "another key", readDone(doneOf(ann, 0)))
			s.refuses(vault.Conflict, "the same key", func(tx vault.Tx) error {
				return tx.InsertDoneRequest(s.ctx, d)
			})
		}},
		{"expired requests of anyone are forgotten, a few at once", func(s subject) {
			ann, bea := s.addUser("ann").Owner, s.addUser("bea").Owner
			var old []vault.DoneRequest
			for n := range 6 {
				old = append(old, s.addDone(doneOf(ann, n)), s.addDone(doneOf(bea, n)))
			}
			kept := s.addDone(doneOf(ann, 7))
			forget := func(tx vault.Tx) error { return tx.DeleteExpiredRequests(s.ctx, moment(6)) }
			for range 2 {
				s.update(forget)
			}
			for _, d := range old {
				missing(s, "one that expired", readDone(d))
			}
			s.wantSame("one that has not", got(s, readDone(kept)), kept)
		}},
		{"only what does not count is forgotten under a key", func(s subject) {
			d := s.addDone(doneOf(s.addUser("ann").Owner, 5))
			forget := func(d vault.DoneRequest, at time.Time) {
				s.update(func(tx vault.Tx) error { return tx.DeleteStaleRequest(s.ctx, d, at) })
			}
			forget(d, moment(4))
			s.wantSame("one that counts", got(s, readDone(d)), d)
			forget(d, moment(5))
			missing(s, "one that expired", readDone(d))
			s.addDone(d)
			of := d
			of.InstanceKey = newID()
			forget(of, moment(4))
			missing(s, "one of another instance key", readDone(d))
		}},
		{"what a user asked can be forgotten", func(s subject) {
			ann, bea := s.addUser("ann").Owner, s.addUser("bea").Owner
			gone, kept := s.addDone(doneOf(ann, 0)), s.addDone(doneOf(bea, 0))
			s.update(func(tx vault.Tx) error { return tx.DeleteDoneRequests(s.ctx, ann) })
			missing(s, "ann's", readDone(gone))
			s.wantSame("bea's", got(s, readDone(kept)), kept)
		}},
	}
}

// doneOf returns a request of a user that is remembered up to a time.
func doneOf(user uuid.UUID, minutes int) vault.DoneRequest {
	return vault.DoneRequest{
		User: user, Key: random32(), Request: random32(), Action: "secret.create",
		Resource: newID(), Version: most, ExpiresAt: moment(minutes), InstanceKey: newID(),
		Code: random32(),
	}
}

func (s subject) addDone(d vault.DoneRequest) vault.DoneRequest {
	s.Helper()
	s.update(func(tx vault.Tx) error { return tx.InsertDoneRequest(s.ctx, d) })
	return d
}

func readDone(d vault.DoneRequest) reads[vault.DoneRequest] {
	return func(ctx context.Context, r vault.Reader) (vault.DoneRequest, error) {
		return r.DoneRequest(ctx, d.User, d.Key)
	}
}
