package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

// errOwn is what the updates here fail with.
var errOwn = errors.New("the update's own error")

func updateBehaviours() []behaviour {
	return []behaviour{
		{"an update sees what it has written", func(s subject) {
			u := NewUser("ann")
			s.update(func(tx vault.Tx) error {
				if err := tx.InsertUser(s.ctx, u); err != nil {
					return err
				}
				_, err := tx.User(s.ctx, u.Owner)
				return err
			})
		}},
		{
			"what an update wrote is seen by others once its caller is answered, and not before",
			func(s subject) {
				u := NewUser("ann")
				var before error
				s.update(func(tx vault.Tx) error {
					if err := tx.InsertUser(s.ctx, u); err != nil {
						return err
					}
					before = s.View(s.ctx, func(r vault.Reader) error {
						_, err := r.User(s.ctx, u.Owner)
						return err
					})
					return nil
				})
				s.wantKind(vault.NotFound, "before the commit", before)
				s.wantUser(u)
			},
		},
		{"an update that changes nothing succeeds", func(s subject) {
			s.update(func(vault.Tx) error { return nil })
		}},
		{"an update that fails leaves nothing, and its error is returned", failureLeavesNothing},
		{
			"an update that panics leaves nothing, and what it panicked with is not repeated",
			panicLeavesNothing,
		},
		{"an update that fails does not affect the others", othersStay},
		{"updates that read and then write lose nothing of each other", countsUp},
		{"the updates that are counted are those that were made durable", func(s subject) {
			before, _ := s.Stats()
			for range 3 {
				s.addUser(newID().String())
				s.fails("failing update", func(vault.Tx) error { return errOwn })
			}
			after, commits := s.Stats()
			if after-before != 3 || commits == 0 {
				s.Errorf(
					"%d updates in %d commits were counted, want 3 updates", after-before, commits,
				)
			}
		}},
	}
}

func failureLeavesNothing(s subject) {
	ann, root := s.addUser("ann"), s.addRootKey()
	n := s.addSecret(ann.Owner, "KEPT")
	made := NewUser("bob")
	err := s.try(func(tx vault.Tx) error {
		change := n
		change.Version, change.SealedMask = 2, blob(20)
		return errors.Join(
			tx.InsertUser(s.ctx, made), tx.InsertOwnerKey(s.ctx, ownerKeyOf(made.Owner, root.ID)),
			tx.InsertAPIKey(s.ctx, apiKeyOf(made.Owner)), tx.UpdateSecret(s.ctx, change),
			tx.InsertSecret(s.ctx, secretOf(ann.Owner, "NEW")),
			tx.AppendAudit(s.ctx, oneEntry(ann.Owner, 1)),
			tx.SaveLedger(s.ctx, ledgerOf(ann.Owner, 1), 0),
			tx.DeleteUser(s.ctx, ann.Owner, moment(1)), errOwn,
		)
	})
	if !errors.Is(err, errOwn) {
		s.Errorf("got %v, want the update's own error", err)
	}
	s.wantUser(ann)
	s.wantSecret(n)
	s.wantSame("names", s.names(ann.Owner), []string{"KEPT"})
	s.wantSame("entries", len(s.entries(ann.Owner)), 0)
	missing(s, "the other user", readUser(made.Owner))
}

func panicLeavesNothing(s subject) {
	marker := "marker-" + newID().String()
	for what, cause := range map[string]any{
		"text": marker, "error": errors.New(marker), "bytes": []byte(marker),
		"struct": struct{ Hidden string }{marker}, "kind": vault.ErrNotFound,
	} {
		u := NewUser(what)
		err := s.try(func(tx vault.Tx) error {
			if err := tx.InsertUser(s.ctx, u); err != nil {
				return err
			}
			panic(cause)
		})
		s.wantKind(vault.Internal, "panic with "+what, err)
		if err != nil && strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), marker) {
			s.Errorf("panic with %s: the error repeats it", what)
		}
		missing(s, "what it wrote", readUser(u.Owner))
	}
	var none map[string]int
	s.fails("panic of the runtime", func(vault.Tx) error { none["a"]++; return nil })
	s.wantUser(s.addUser("after"))
}

// othersStay lets updates of every kind wait behind one that is slow, so that a store that
// gathers them has them together.
func othersStay(s subject) {
	ann := s.addUser("ann")
	taken := s.addSecret(ann.Owner, "TAKEN")
	endings := map[string]func(context.Context, vault.Tx, vault.StoredSecret) error{
		"good":    func(context.Context, vault.Tx, vault.StoredSecret) error { return nil },
		"failing": func(context.Context, vault.Tx, vault.StoredSecret) error { return errOwn },
		"panic": func(context.Context, vault.Tx, vault.StoredSecret) error {
			panic("on purpose")
		},
		"conflict": func(ctx context.Context, tx vault.Tx, _ vault.StoredSecret) error {
			return tx.InsertSecret(ctx, secretOf(ann.Owner, "TAKEN"))
		},
	}
	slow := s.slowUpdate()
	var all sync.WaitGroup
	var mu sync.Mutex
	want := map[uuid.UUID]bool{taken.ID: true}
	for i := range 40 {
		for name, end := range endings {
			all.Go(func() {
				n := secretOf(ann.Owner, fmt.Sprintf("%s_%d", name, i))
				err := s.try(func(tx vault.Tx) error {
					if err := tx.InsertSecret(s.ctx, n); err != nil {
						return err
					}
					return end(s.ctx, tx, n)
				})
				if (err == nil) != (name == "good") {
					s.Errorf("%s update: %v", name, err)
				}
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					want[n.ID] = true
				}
			})
		}
	}
	slow.end()
	all.Wait()
	s.wantSecrets(ann.Owner, want)
}

// wantSecrets checks that a user has the secrets of these ids and no others.
func (s subject) wantSecrets(user uuid.UUID, want map[uuid.UUID]bool) {
	s.Helper()
	found := map[uuid.UUID]bool{}
	for _, n := range s.secrets(user) {
		found[n.ID] = true
	}
	s.wantSame("ids", found, want)
}

// A slow update has begun, and goes on until end.
type slow struct{ end func() }

func (s subject) slowUpdate() slow {
	s.Helper()
	begun, release, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- s.try(func(vault.Tx) error {
			close(begun)
			<-release
			return nil
		})
	}()
	<-begun
	end := sync.OnceFunc(func() {
		close(release)
		if err := <-ended; err != nil {
			s.Errorf("the slow update: %v", err)
		}
	})
	s.Cleanup(end)
	return slow{end}
}

func countsUp(s subject) {
	const callers, each = 16, 20
	ann := s.addUser("ann")
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for range each {
				if err := s.try(func(tx vault.Tx) error {
					l, err := tx.LockLedger(s.ctx, ann.Owner)
					if err != nil {
						return err
					}
					return tx.SaveLedger(s.ctx, ledgerOf(ann.Owner, l.Number+1), l.Number)
				}); err != nil {
					s.Error(err)
				}
			}
		})
	}
	all.Wait()
	s.wantSame("number", got(s, readLedger(ann.Owner)).Number, uint64(callers*each))
}
