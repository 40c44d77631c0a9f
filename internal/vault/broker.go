package vault

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/plaintext"
)

// A Grant is what a placeholder stands for at this moment. With an error it has what is known of
// the lease, and why nothing is granted.
type Grant struct {
	User, Lease, Secret uuid.UUID
	By                  uuid.UUID // who asked for the lease in place of User; nil for User
	Name                string
	Provider            string
	Version             uint64
	Stamp               seal.Stamp // of that version
	Value               plaintext.Value
	ExpiresAt           time.Time // of the lease
	Limits              BrokerLimits
	// Used is what was recorded of the lease when it was last read.
	Used BrokerUse
	// Granted are all secrets of the lease that are still there.
	Granted []GrantedSecret
	Why     Ending
}

// A GrantedSecret is one of a lease for the broker.
type GrantedSecret struct {
	ID             uuid.UUID
	Name, Provider string
}

// An Ending is why a placeholder stands for nothing any more.
type Ending string

// The endings.
const (
	EndUnknown  Ending = "unknown" // there never was such a placeholder
	EndRevoked  Ending = "revoked"
	EndExpired  Ending = "expired"
	EndAPIKey   Ending = "api-key"  // the API key that asked for the lease does not work any more
	EndGrant    Ending = "grant"    // that by which another user asked for it was withdrawn
	EndUser     Ending = "user"     // disabled or deleted
	EndSecret   Ending = "secret"   // deleted
	EndLockdown Ending = "lockdown" // of the instance
)

// A BrokerUse is how much a lease was used at the broker.
type BrokerUse struct {
	Requests, Bytes, Tokens int64
}

// Plus returns the sum of two uses.
func (u BrokerUse) Plus(v BrokerUse) BrokerUse {
	return BrokerUse{u.Requests + v.Requests, u.Bytes + v.Bytes, u.Tokens + v.Tokens}
}

// A StoredBrokerUse is the use of a lease as it is stored: a help against overuse, which nothing
// vouches for.
type StoredBrokerUse struct {
	User, Lease uuid.UUID
	BrokerUse
}

type brokerReader interface {
	// BrokerUse returns how much a lease was used. NotFound: it was not.
	BrokerUse(ctx context.Context, user, lease uuid.UUID) (StoredBrokerUse, error)
	// BrokeredRequests returns what was recorded of a user's requests.
	BrokeredRequests(
		ctx context.Context, user uuid.UUID, q BrokeredQuery,
	) ([]BrokeredRequest, error)
}

type brokerWriter interface {
	// InsertBrokered stores requests, and adds what they are of the uses of their leases.
	InsertBrokered(
		ctx context.Context, requests []BrokeredRequest, added []StoredBrokerUse,
	) error
	// TrimBrokered removes requests of a user but for the newest.
	TrimBrokered(ctx context.Context, user uuid.UUID, of BrokeredBound) error
}

// A BrokeredBound is how many requests of a kind are kept.
type BrokeredBound struct {
	Lease   uuid.UUID // nil for all leases of a user
	Refused bool      // those that were, or else those that were not
	Keep    int
}
