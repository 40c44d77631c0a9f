// Package vault is the domain: users, their secrets, their API keys, the rules for them, and the
// use cases.
//
// A [Service] has the use cases that requests reach, an [Operator] those of the operator at the
// machine itself, which no request reaches. A use case opens keys and seals first, then makes one
// transaction, which only checks and writes. It goes through update, view or read, which check the
// policy and append the audit entries, so that no use case can forget. The package knows no HTTP
// and no SQL.
package vault

import (
	"encoding/binary"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/catalog"
)

// core is what both audiences share.
type core struct {
	store Store
	keys  *keyring
	now   func() time.Time

	instance *instanceKeys
	floors   *floors
	gone     *gone
	found    *tamperings
	lockdown bool // says the configuration
	verified *verified

	deleteDelay time.Duration
	noDeleteNow bool
}

// A Service has the use cases that requests reach. It is safe for concurrent use.
type Service struct {
	*core
	catalog  *catalog.Catalog
	limits   Limits
	used     *lastUsed
	days     *dayUses
	refusals *refusals
	evidence notedEvidence
	locks    *secretLocks
	sealing  sealingKeys
	disputes *disputes
	pqOnly   bool
	prober   Prober
	verifier TokenVerifier
	webhook  webhook
}

// An Operator has the use cases of the operator at the machine itself. They work while servers
// serve the same database. It is safe for concurrent use.
type Operator struct {
	*core
	batch int // of owner keys
}

// Options are what [New] needs. Store must be set, and what the use cases need that are called.
type Options struct {
	Store   Store
	Keys    Configuration
	KeyTTL  time.Duration // how long an owner key stays open in memory
	Catalog *catalog.Catalog
	Limits  Limits
	Now     func() time.Time // nil for the system's clock

	PostQuantumOnly bool // no bundle is sealed to a key that a quantum computer breaks

	Webhook bool // there is one, which is told of events

	Lockdown bool // the instance is locked down, whatever the database says

	// DeleteDelay is how long the deletion of a user can be called off; 0 for not at all.
	DeleteDelay time.Duration
	// NoDeleteNow: no caller skips that delay.
	NoDeleteNow bool
}

// New returns the two halves of a vault, which share the keys that are open. It reads nothing:
// [Operator.CheckRootKeys] comes first.
func New(o Options) (*Service, *Operator) {
	if o.Now == nil {
		o.Now = time.Now
	}
	roots := newRootKeyring(o.Store, o.Keys, o.Now)
	c := &core{
		store: o.Store, keys: newKeyring(o.Store, roots, o.KeyTTL), now: o.Now,
		instance: &instanceKeys{}, floors: newFloors(), gone: &gone{}, found: newTamperings(),
		lockdown: o.Lockdown,
		verified: newVerified(), deleteDelay: o.DeleteDelay, noDeleteNow: o.NoDeleteNow,
	}
	service := &Service{
		core:     c,
		catalog:  o.Catalog,
		limits:   o.Limits,
		used:     newLastUsed(),
		days:     newDayUses(),
		refusals: newRefusals(),
		locks:    newSecretLocks(),
		disputes: &disputes{},
		pqOnly:   o.PostQuantumOnly,
		webhook:  webhook{on: o.Webhook, most: maxEvents},
	}
	return service, &Operator{core: c, batch: rotateBatch}
}

// newID returns an id of version 7: new rows land on the page that is already in memory.
func newID() (uuid.UUID, error) { return uuid.NewV7() }

// firstID returns the lowest id of those that are made at a time.
func firstID(at time.Time) (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[:], uint64(max(at.UnixMilli(), 0))<<16)
	return id
}
