package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

func crowdBehaviours() []behaviour {
	return []behaviour{
		{"of thousands of updates at once, exactly those that succeeded are there", crowd},
	}
}

// The size of the crowd.
const (
	crowdUsers   = 8
	crowdCallers = 64
	crowdEach    = 60
)

// crowd runs thousands of updates that end in every way an update can end.
func crowd(s subject) {
	seed := rand.Uint64()
	s.Logf("seed %d", seed)
	users := make([]vault.StoredUser, crowdUsers)
	for i := range users {
		users[i] = s.addUser(fmt.Sprintf("user-%d", i))
		s.addSecret(users[i].Owner, "TAKEN")
	}
	before, _ := s.Stats()
	var all sync.WaitGroup
	var mu sync.Mutex
	want := map[uuid.UUID]map[string]bool{}
	for _, u := range users {
		want[u.Owner] = map[string]bool{"TAKEN": true}
	}
	succeeded := uint64(0)
	for caller := range crowdCallers {
		all.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(caller)))
			for i := range crowdEach {
				user, name := users[random.IntN(crowdUsers)].Owner, fmt.Sprintf("C%d_%d", caller, i)
				if !s.oneOfCrowd(random, user, name) {
					continue
				}
				mu.Lock()
				want[user][name] = true
				succeeded++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	for _, u := range users {
		found := map[string]bool{}
		for _, name := range s.names(u.Owner) {
			found[name] = true
		}
		s.wantSame("names", found, want[u.Owner])
	}
	if after, _ := s.Stats(); after-before != succeeded {
		s.Errorf("%d updates succeeded, %d were counted", succeeded, after-before)
	}
}

// oneOfCrowd runs an update that ends at random, and reports whether it succeeded.
func (s subject) oneOfCrowd(random *rand.Rand, user uuid.UUID, name string) bool {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	end := func(vault.Tx) error { return nil }
	right := func(err error) bool { return err == nil }
	switch random.IntN(6) {
	case 0:
		end = func(vault.Tx) error { return errOwn }
		right = func(err error) bool { return errors.Is(err, errOwn) }
	case 1:
		end = func(vault.Tx) error { panic("on purpose") }
		right = func(err error) bool { return err != nil && vault.KindOf(err) == vault.Internal }
	case 2:
		end = func(tx vault.Tx) error { return tx.InsertSecret(ctx, secretOf(user, "TAKEN")) }
		right = func(err error) bool { return err != nil && vault.KindOf(err) == vault.Conflict }
	case 3:
		go cancel()
		right = func(err error) bool { return err == nil || errors.Is(err, context.Canceled) }
	}
	err := s.Update(ctx, func(tx vault.Tx) error {
		if err := tx.InsertSecret(ctx, secretOf(user, name)); err != nil {
			return err
		}
		return end(tx)
	})
	if !right(err) {
		s.Errorf("an update of the wrong outcome: %v", err)
	}
	return err == nil
}
