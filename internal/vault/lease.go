package vault

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/plaintext"
)

// A Lease is a grant to use chosen secrets in one run.
type Lease struct {
	StoredLease

	State LeaseState
}

// A Delivery is how a lease hands out what it grants.
type Delivery string

// The deliveries.
const (
	ByBundle Delivery = "bundle" // sealed to a recipient when the lease is made
	ByTicket Delivery = "ticket" // sealed to whoever redeems the ticket first
	ByBroker Delivery = "broker" // not at all: a broker puts values on requests
)

// A LeaseState says whether a lease can still be used.
type LeaseState string

// The states.
const (
	LeaseActive   LeaseState = "active" // its ticket can be redeemed, or the broker knows it
	LeaseRedeemed LeaseState = "redeemed"
	LeaseExpired  LeaseState = "expired"
	LeaseRevoked  LeaseState = "revoked"
	LeaseDisputed LeaseState = "disputed" // its ticket was presented once more
)

// A StoredLease is a lease as it is stored. Only that of a broker, or of a ticket that was not
// redeemed, counts, and only while the ledger lists it. All else is a help for people: the audit
// log is the record.
type StoredLease struct {
	User       uuid.UUID
	ID         uuid.UUID
	APIKey     uuid.UUID // that asked for it
	APIKeyName string    // at that moment
	By         Acting    // whose key that is, if it is another user's
	Delivery   Delivery
	Ticket     []byte // its hash; empty where there is none
	Run        Run
	Limits     BrokerLimits   // of a broker's
	Secrets    []LeasedSecret // in the order of their names
	CreatedAt  time.Time
	ExpiresAt  time.Time
	RedeemedAt time.Time // zero before; of a bundle, when it was made
	RevokedAt  time.Time // zero for one that was not revoked
	DisputedAt time.Time // zero for one that was not disputed
}

// An Acting is who acts for a user. The zero Acting is the user.
type Acting struct {
	Grant uuid.UUID // of the user, by which the other acts
	User  uuid.UUID
	Name  string // of the other, when the grant was made
}

// A LeasedSecret is a secret as a lease names it.
type LeasedSecret struct {
	ID          uuid.UUID
	Name        string
	Version     uint64 // that was handed out; 0 before
	Placeholder []byte // the hash of what stands for it; empty where there is none
}

// Delivered is a lease with what its answer hands out: a ticket, a bundle or placeholders.
type Delivered struct {
	Lease

	Ticket       plaintext.Value
	Placeholders []Placeholder
	Server       uuid.UUID // the instance key that signs, which the bundle is bound to
	Bundle       []byte
}

// Limits of leases.
const (
	maxLeasedSecrets = 50
	minTTL           = time.Minute
	maxTTL           = 7 * 24 * time.Hour
	defaultTTL       = time.Hour
	maxOpenLeases    = 1000                     // of a user
	keepLeases       = maxTTL + 90*24*time.Hour // after they were made
	removeLeases     = 5                        // with each new lease
)

// A LeaseQuery chooses leases of a user.
type LeaseQuery struct {
	State  LeaseState // empty for any
	Secret uuid.UUID  // nil for any
	Run    string     // the id of a run; empty for any
	By     uuid.UUID  // that this user asked for, who is another; nil for any
	Live   bool       // neither revoked nor expired
	Before uuid.UUID  // older than that lease; nil for all
	From   uuid.UUID  // that lease and newer ones; nil for all
	Now    time.Time
	Limit  int
}

type leaseReader interface {
	// Lease returns a user's lease. NotFound: the user has none of that id.
	Lease(ctx context.Context, user, id uuid.UUID) (StoredLease, error)
	// LeaseByTicket returns the lease of a ticket. NotFound: there is none.
	LeaseByTicket(ctx context.Context, hash TokenHash) (StoredLease, error)
	// BrokerLease returns the lease of a broker with that id. NotFound: there is none.
	BrokerLease(ctx context.Context, id uuid.UUID) (StoredLease, error)
	// OpenLeases returns a user's leases of tickets and brokers that were neither redeemed nor
	// revoked.
	OpenLeases(ctx context.Context, user uuid.UUID) ([]StoredLease, error)
	// ReadableOpenLeases is OpenLeases without rows that cannot be read, and how many those are.
	ReadableOpenLeases(
		ctx context.Context, user uuid.UUID,
	) (open []StoredLease, damaged int, err error)
	// Leases returns a user's leases, newest first.
	Leases(ctx context.Context, user uuid.UUID, q LeaseQuery) ([]StoredLease, error)
	// NthLease returns the id of the nth of a user's leases that are older than one, newest first.
	// nil stands for before: all of them. NotFound: there are fewer.
	NthLease(ctx context.Context, user, before uuid.UUID, n int) (uuid.UUID, error)
	// LeasesBefore returns the oldest leases of a user with ids below one.
	LeasesBefore(
		ctx context.Context, user, id uuid.UUID, limit int,
	) ([]StoredLease, error)
	// SecretUses returns how each of a user's secrets was used. One that was not has none.
	SecretUses(ctx context.Context, user uuid.UUID) ([]SecretUse, error)
	// SecretUse returns how a user's secret was used. NotFound: it was not.
	SecretUse(ctx context.Context, user, secret uuid.UUID) (SecretUse, error)
}

type leaseWriter interface {
	InsertLease(ctx context.Context, l StoredLease) error
	// RedeemLease stores when a lease was redeemed, and what it handed out.
	RedeemLease(ctx context.Context, l StoredLease) error
	// RevokeLease stores when a user's lease was revoked.
	RevokeLease(ctx context.Context, user, id uuid.UUID, at time.Time) error
	// RevokeLiveLeases stores that all of a user's leases were revoked that were not and have not
	// expired, and returns how many those are.
	RevokeLiveLeases(ctx context.Context, user uuid.UUID, at time.Time) (int, error)
	// DisputeLease stores when a user's lease was disputed.
	DisputeLease(ctx context.Context, user, id uuid.UUID, at time.Time) error
	// CountUses adds a use, by a lease, to each of its secrets.
	CountUses(ctx context.Context, l StoredLease, at time.Time) error
	DeleteLease(ctx context.Context, user, id uuid.UUID) error
	// DeleteLeases removes all leases of a user, and how much was used.
	DeleteLeases(ctx context.Context, user uuid.UUID) error
}

func (l StoredLease) target() audit.Target {
	return audit.Target{Kind: audit.TargetLease, ID: l.ID}
}

// secretIDs returns the ids of the secrets.
func (l StoredLease) secretIDs() []uuid.UUID {
	ids := make([]uuid.UUID, len(l.Secrets))
	for i, s := range l.Secrets {
		ids[i] = s.ID
	}
	return ids
}

// grant names the secrets of a lease, without versions.
func (l *StoredLease) grant(secrets []StoredSecret) {
	l.Secrets = make([]LeasedSecret, len(secrets))
	for i, s := range secrets {
		l.Secrets[i] = LeasedSecret{ID: s.ID, Name: s.Name}
	}
}

// release notes that these secrets are handed out at a time.
func (l *StoredLease) release(secrets []StoredSecret, at time.Time) {
	l.grant(secrets)
	for i, s := range secrets {
		l.Secrets[i].Version = s.Version
	}
	l.RedeemedAt = at
}

// delivered reports whether the values were handed out.
func (l StoredLease) delivered() bool { return !l.RedeemedAt.IsZero() }

// about makes the audit entries of a change tell of a lease, and of its run if that is known.
// Nothing vouches for the row of a lease that has ended: its first entry has the run.
func (c *change) about(l StoredLease) {
	if c.lease = l.ID; c.isOpen(l) {
		c.run = l.Run.name()
	}
}

// recordSecrets names each secret of a lease, of which all is known, as a target. One with a
// version was handed out.
func (c *change) recordSecrets(l StoredLease) {
	c.lease, c.run = l.ID, l.Run.name()
	for _, s := range l.Secrets {
		c.record(audit.Target{
			Kind: audit.TargetSecret, ID: s.ID, Name: s.Name, Version: s.Version,
		})
	}
}
