package vault

import (
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
)

// An Actor is who is calling, by which credential and from where. The zero Actor is the operator,
// whom the policy lets do nothing.
type Actor struct {
	User       uuid.UUID
	OnBehalfOf uuid.UUID // the user in whose library User acts; nil for User's own
	Credential audit.Credential
	Client     netip.Addr // of the client, as resolved; the zero Addr where there is none
	Scopes     []policy.Scope
	// SelfRevoke: the credential may revoke itself.
	SelfRevoke bool
	KeyName    string    // of the API key that calls
	ExpiresAt  time.Time // when that key expires; zero for one that does not
	// Once says by which names the request is known, if it must change something once.
	Once *Once
	// Lease is that of a ticket, as it was when the ticket was presented.
	Lease *StoredLease
	// Grant is the one by which User acts for OnBehalfOf; nil in User's own library, and for a
	// ticket.
	Grant *UserGrant
}

// Owner returns the user in whose library the actor acts.
func (a Actor) Owner() uuid.UUID {
	if a.OnBehalfOf != uuid.Nil {
		return a.OnBehalfOf
	}
	return a.User
}

// gone is the error of a use case in the library of a user who is none any more.
func (a Actor) gone() error {
	if a.Grant != nil {
		return errNoGrant
	}
	return unauthenticated()
}
