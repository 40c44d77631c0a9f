package vault

import (
	"context"
	"fmt"
	"maps"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
)

// KeepFloors begins with floors that an earlier process kept, and remembers for
// [Operator.UnsavedFloors] what is raised from now on. A floor is the highest number that a user's
// ledger had; the nil id is the instance's.
func (o *Operator) KeepFloors(known map[uuid.UUID]uint64) {
	o.floors.mu.Lock()
	o.floors.unsaved = map[uuid.UUID]uint64{}
	o.floors.mu.Unlock()
	o.RaiseFloors(known)
	o.UnsavedFloors()
}

// RaiseFloors raises the floors that are lower.
func (o *Operator) RaiseFloors(known map[uuid.UUID]uint64) {
	for user, number := range known {
		o.floors.note(user, number)
	}
}

// ReplaceFloors begins anew with other floors, which the operator has accepted.
func (o *Operator) ReplaceFloors(known map[uuid.UUID]uint64) {
	o.floors.mu.Lock()
	defer o.floors.mu.Unlock()
	o.floors.raise++
	o.floors.users = map[uuid.UUID][2]floor{}
	for user, number := range known {
		o.floors.users[user] = [2]floor{{number: number}}
	}
	clear(o.floors.unsaved)
	o.gone.drop()
}

// UnsavedFloors returns the floors that were raised since it was last called.
func (o *Operator) UnsavedFloors() map[uuid.UUID]uint64 {
	o.floors.mu.Lock()
	defer o.floors.mu.Unlock()
	raised := maps.Clone(o.floors.unsaved)
	clear(o.floors.unsaved)
	return raised
}

// AllFloors returns all floors.
func (o *Operator) AllFloors() map[uuid.UUID]uint64 {
	o.floors.mu.Lock()
	defer o.floors.mu.Unlock()
	all := make(map[uuid.UUID]uint64, len(o.floors.users))
	for user, known := range o.floors.users {
		all[user] = known[0].number
	}
	return all
}

// NotSaved takes back floors that [Operator.UnsavedFloors] returned.
func (o *Operator) NotSaved(raised map[uuid.UUID]uint64) {
	o.floors.mu.Lock()
	defer o.floors.mu.Unlock()
	for user, number := range raised {
		if o.floors.unsaved[user] < number && o.floors.users[user][0].number >= number {
			o.floors.unsaved[user] = number
		}
	}
}

// AcceptOlder makes the numbers that ledgers have now their floors, and records that in the
// instance's chain. It returns all of them, and the users whose ledgers were older than their
// floors; the nil id is the instance. A ledger that does not verify gets no floor, and is refused
// as before.
func (o *Operator) AcceptOlder(
	ctx context.Context,
) (numbers map[uuid.UUID]uint64, older []uuid.UUID, err error) {
	before := o.AllFloors()
	o.ReplaceFloors(nil)
	err = o.eachLedger(ctx, func() { numbers, older = map[uuid.UUID]uint64{}, nil },
		func(p *page) {
			user, number := p.ledger.User, p.ledger.Number
			numbers[user] = number
			if number < before[user] {
				older = append(older, user)
			}
		})
	if err != nil {
		o.ReplaceFloors(before)
		return nil, nil, err
	}
	in := intent{action: policy.FloorsReset, library: instanceLibrary()}
	err = o.apply(ctx, in, func(c *change) error {
		c.record(audit.Target{
			Kind: audit.TargetDatabase, Name: fmt.Sprintf("%d of %d ledgers were older",
				len(older), len(numbers)),
		})
		return nil
	})
	return numbers, older, err
}

// SeeAll makes the numbers that ledgers have now their floors, where they have none.
func (o *Operator) SeeAll(ctx context.Context) error {
	return o.eachLedger(ctx, func() {}, func(*page) {})
}

// eachLedger calls each for the ledger of the instance and of every user, as of one moment, and
// begin before, perhaps several times. Ledgers of users that do not verify are left out.
func (o *Operator) eachLedger(ctx context.Context, begin func(), each func(*page)) error {
	return o.view(ctx, func(r *snapshot) error {
		begin()
		p, err := r.instance(ctx)
		if err != nil {
			return err
		}
		each(p)
		return r.rows.Ledgers(ctx, func(stored StoredLedger) error {
			p, err := r.verify(stored, stored.Owner)
			if r.isBroken(err) {
				return nil
			}
			if err == nil {
				each(p)
			}
			return err
		})
	})
}
