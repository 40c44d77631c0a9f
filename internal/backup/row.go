package backup

import (
	"bytes"
	"encoding/binary"

	"github.com/google/uuid"
)

// The rows. Ids are UUIDs, of which the nil one stands for none; times are microseconds since 1970
// in UTC, absent where there is none.

// A RootKey is what is known of a root key: never the key.
type RootKey struct {
	ID         uuid.UUID `json:"id"`
	URL        string    `json:"url"`
	Params     string    `json:"params"` // of a passphrase
	State      string    `json:"state"`  // primary, replaced or retired
	Check      []byte    `json:"check_value"`
	OwnerKeys  int64     `json:"owner_keys"` // how many it wraps
	CreatedAt  int64     `json:"created_at"`
	ReplacedAt *int64    `json:"replaced_at,omitempty"`
	RetiredAt  *int64    `json:"retired_at,omitempty"`
}

// Needed tells whether anything is lost without the key.
func (k RootKey) Needed() bool { return k.State == "primary" || k.OwnerKeys > 0 }

// An Instance is the database itself: the end of the chain of what touches no library.
type Instance struct {
	ID        uuid.UUID `json:"id"`
	AuditSeq  uint64    `json:"audit_seq"`
	AuditHash Digest    `json:"audit_hash"`
}

// A User is a user, deleted ones too, with the ledger.
type User struct {
	ID        uuid.UUID `json:"id"`
	Username  string    `json:"username"`
	Email     string    `json:"email_address"`
	FullName  string    `json:"full_name"`
	OwnerKey  uuid.UUID `json:"owner_key_id"`
	Secrets   int64     `json:"secret_count"`
	AuditSeq  uint64    `json:"audit_seq"`
	AuditHash Digest    `json:"audit_hash"`
	CreatedAt int64     `json:"created_at"`
	DeletedAt *int64    `json:"deleted_at,omitempty"`
}

// An OwnerKey is wrapped by a root key.
type OwnerKey struct {
	ID        uuid.UUID `json:"id"`
	User      uuid.UUID `json:"user_id"`
	RootKey   uuid.UUID `json:"root_key_id"`
	Wrapped   []byte    `json:"wrapped"`
	CreatedAt int64     `json:"created_at"`
}

// An APIKey has the hash of its token only.
type APIKey struct {
	ID         uuid.UUID `json:"id"`
	User       uuid.UUID `json:"user_id"`
	TokenHash  Digest    `json:"token_hash"`
	Masked     string    `json:"masked"`
	Name       string    `json:"name"`
	Scopes     string    `json:"scopes"` // separated by spaces
	SelfRevoke int64     `json:"self_revoke"`
	CreatedAt  int64     `json:"created_at"`
	ExpiresAt  *int64    `json:"expires_at,omitempty"`
	RevokedAt  *int64    `json:"revoked_at,omitempty"`
	LastUsedAt *int64    `json:"last_used_at,omitempty"`
}

// A Secret is a secret with its current version, sealed.
type Secret struct {
	ID          uuid.UUID `json:"id"`
	User        uuid.UUID `json:"user_id"`
	Name        string    `json:"name"`
	Provider    string    `json:"provider"`
	Version     uint64    `json:"version"`
	SealedMask  []byte    `json:"sealed_mask"`
	SealedValue []byte    `json:"sealed_value"`
	CreatedAt   int64     `json:"created_at"`
	UpdatedAt   int64     `json:"updated_at"`
}

// A Version is an older version of a secret, sealed.
type Version struct {
	Secret      uuid.UUID `json:"secret_id"`
	Version     uint64    `json:"version"`
	User        uuid.UUID `json:"user_id"`
	SealedMask  []byte    `json:"sealed_mask"`
	SealedValue []byte    `json:"sealed_value"`
	CreatedAt   int64     `json:"created_at"`
}

// An AuditEntry is an entry of a chain, with its hash.
type AuditEntry struct {
	Owner          uuid.UUID `json:"owner_id"`
	Seq            uint64    `json:"seq"`
	At             int64     `json:"at"`
	User           uuid.UUID `json:"user_id"`
	CredentialKind string    `json:"credential_kind"`
	CredentialID   uuid.UUID `json:"credential_id"`
	OnBehalfOf     uuid.UUID `json:"on_behalf_of"`
	Client         string    `json:"client"`
	Action         string    `json:"action"`
	Outcome        string    `json:"outcome"`
	TargetKind     string    `json:"target_kind"`
	TargetID       uuid.UUID `json:"target_id"`
	TargetName     string    `json:"target_name"`
	TargetVersion  uint64    `json:"target_version"`
	Lease          uuid.UUID `json:"lease_id"`
	Run            string    `json:"run"`
	Hash           Digest    `json:"hash"`
}

// A row has a place in the order of its table, which no other row has.
type row interface{ order() place }

// place is up to two ids and a number, so that bytes compare as the rows do.
type place [2*16 + 8]byte

func at(first, second uuid.UUID, number uint64) (p place) {
	copy(p[:], first[:])
	copy(p[16:], second[:])
	binary.BigEndian.PutUint64(p[32:], number)
	return p
}

func (p place) before(other place) bool { return bytes.Compare(p[:], other[:]) < 0 }

func (r Instance) order() place   { return at(r.ID, uuid.Nil, 0) }
func (r User) order() place       { return at(r.ID, uuid.Nil, 0) }
func (r OwnerKey) order() place   { return at(r.User, r.ID, 0) }
func (r APIKey) order() place     { return at(r.User, r.ID, 0) }
func (r Secret) order() place     { return at(r.User, r.ID, 0) }
func (r Version) order() place    { return at(r.User, r.Secret, r.Version) }
func (r AuditEntry) order() place { return at(r.Owner, uuid.Nil, r.Seq) }

// bytes returns what the digest of the heads covers.
func (h Head) bytes(owner uuid.UUID) []byte {
	b := make([]byte, 0, 16+8+len(h.Hash))
	b = append(b, owner[:]...)
	b = binary.BigEndian.AppendUint64(b, h.Seq)
	return append(b, h.Hash[:]...)
}
