package seal

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"

	"github.com/google/uuid"
)

// An InstanceKey authenticates what an instance stores: ledgers, rows and checkpoints. Its id
// follows from its bits, so that who names the id names the key. It is safe for concurrent use, and
// cannot be printed.
type InstanceKey struct {
	key                            key
	ledger, row, ticket, challenge mac
	checkpoint                     func() []byte
}

// NewInstanceKey returns a new random key.
func NewInstanceKey() (InstanceKey, error) { return instanceKeyOf(randomBytes(KeySize)) }

// instanceKeyOf returns the instance key of these bits, of which it takes ownership.
func instanceKeyOf(bits []byte) (InstanceKey, error) {
	if len(bits) != KeySize {
		return InstanceKey{}, ErrFormat
	}
	id, err := idOf("instance-key-id", bits)
	if err != nil {
		return InstanceKey{}, err
	}
	parts := map[string][]byte{}
	for _, label := range []string{"ledger", "row", "ticket", "challenge", "checkpoint"} {
		if parts[label], err = derive(bits, label, sha256.Size); err != nil {
			return InstanceKey{}, err
		}
	}
	return InstanceKey{
		key:        newKey(id, bits),
		ledger:     newMAC(parts["ledger"]),
		row:        newMAC(parts["row"]),
		ticket:     newMAC(parts["ticket"]),
		challenge:  newMAC(parts["challenge"]),
		checkpoint: func() []byte { return parts["checkpoint"] },
	}, nil
}

// unwrappedInstanceKey returns the key that was asked for by its id. [ErrOtherKey]: it is another.
func unwrappedInstanceKey(id uuid.UUID, bits []byte) (InstanceKey, error) {
	k, err := instanceKeyOf(bits)
	if err == nil && k.ID() != id {
		err = ErrOtherKey
	}
	if err != nil {
		return InstanceKey{}, err
	}
	return k, nil
}

// ID returns the id of the key.
func (k InstanceKey) ID() uuid.UUID { return k.key.id }

// Equal compares two keys in constant time.
func (k InstanceKey) Equal(other InstanceKey) bool {
	return subtle.ConstantTimeCompare(k.key.bits(), other.key.bits()) == 1
}

// LedgerMAC returns HMAC-SHA-256 (FIPS 198-1) of a ledger.
func (k InstanceKey) LedgerMAC(data []byte) [sha256.Size]byte { return k.ledger(data) }

// RowMAC returns HMAC-SHA-256 (FIPS 198-1) of the canonical bytes of a row.
func (k InstanceKey) RowMAC(data []byte) [sha256.Size]byte { return k.row(data) }

// TicketMAC returns HMAC-SHA-256 (FIPS 198-1) of the id of a lease: the bits of its ticket. Of the
// ids of a lease and a secret, it is the bits of a placeholder.
func (k InstanceKey) TicketMAC(lease []byte) [sha256.Size]byte { return k.ticket(lease) }

// ChallengeMAC returns HMAC-SHA-256 (FIPS 198-1) of what a passkey is asked for: its challenge,
// which nobody else can tell before.
func (k InstanceKey) ChallengeMAC(data []byte) [sha256.Size]byte { return k.challenge(data) }

// Signer returns the Ed25519 key (RFC 8032) that signs checkpoints of the audit log.
func (k InstanceKey) Signer() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(k.checkpoint()) }

// SealingKey returns the private key of 32 bytes for sealed requests in a period of time. No two
// suites, which have the ids of package bundle, share a key.
func (k InstanceKey) SealingKey(suite uint16, period uint64) ([]byte, error) {
	label := binary.BigEndian.AppendUint16([]byte("sealing"), suite)
	label = binary.BigEndian.AppendUint64(label, period)
	return derive(k.key.bits(), string(label), KeySize)
}
