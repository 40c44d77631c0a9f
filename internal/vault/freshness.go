package vault

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
)

// Floors are the highest numbers of ledgers that this process has read, or has written and knows
// committed. A ledger with a lower number was put back.
type floors struct {
	mu    sync.Mutex
	raise uint64 // how often a floor was raised
	users map[uuid.UUID][2]floor
	// unsaved are the floors that were raised since they were last asked for; nil if nobody asks.
	unsaved map[uuid.UUID]uint64
}

// A floor is a number, and when it was raised to that. Of each user two are kept: the later may be
// one that was raised after a snapshot began, in which it is not to be seen.
type floor struct{ number, raised uint64 }

func newFloors() *floors { return &floors{users: map[uuid.UUID][2]floor{}} }

// seen returns what below needs to know of a snapshot that begins now.
func (f *floors) seen() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.raise
}

// below reports whether a number is below the floor that a user had when a snapshot began.
func (f *floors) below(user uuid.UUID, number, seen uint64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, known := range f.users[user] {
		if known.raised <= seen && number < known.number {
			return true
		}
	}
	return false
}

// note raises the floor of a user to a number, if that is higher.
func (f *floors) note(user uuid.UUID, number uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	known := f.users[user]
	if number <= known[0].number {
		return
	}
	f.raise++
	f.users[user] = [2]floor{{number, f.raise}, known[0]}
	if f.unsaved != nil {
		f.unsaved[user] = number
	}
}

// goneTTL is how long the instance's ledger counts before it is read again: another process may
// have disabled or deleted a user in the meantime, which the user's own ledger says at once.
const goneTTL = 500 * time.Millisecond

// gone is the instance's ledger as it was last read, which lists the users who are disabled or
// deleted.
type gone struct {
	mu     sync.Mutex
	ledger anchor.Ledger
	read   time.Time
	drops  int // how often it was dropped
}

// get returns the ledger, which it reads on the connection of s if it is not known any more. No
// caller waits for another one that reads: that one may wait for a connection which this one has,
// and if the database is away, all would wait in turn.
func (g *gone) get(ctx context.Context, s *snapshot) (anchor.Ledger, error) {
	began := time.Now()
	g.mu.Lock()
	ledger, fresh, drops := g.ledger, began.Sub(g.read) < goneTTL, g.drops
	g.mu.Unlock()
	if fresh {
		return ledger, nil
	}
	p, err := s.instance(ctx)
	if err != nil {
		return anchor.Ledger{}, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.drops == drops && began.After(g.read) {
		g.ledger, g.read = p.ledger, began
	}
	return p.ledger, nil
}

// drop makes the next look read the instance's ledger again, after a change of it.
func (g *gone) drop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.read, g.drops = time.Time{}, g.drops+1
}

// InstanceFill returns how much of the room for the instance's ledger is taken: 1 is all of it.
func (s *Service) InstanceFill(ctx context.Context) (taken float64, err error) {
	err = s.core.view(ctx, func(r *snapshot) error {
		instance, err := r.instance(ctx)
		if err == nil {
			taken = instance.ledger.Fill()
		}
		return err
	})
	return taken, err
}
