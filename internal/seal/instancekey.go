package seal

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"

	"github.com/google/uuid"
)

// An InstanceKey authenticates what an instance stores: ledgers, rows and checkpoints. Its id
// follows from its bits, so that who names the id names the key. It is safe for concurrent use, and
// cannot be printed.
type InstanceKey struct {
	key         key
	ledger, row func() []byte
	checkpoint  func() []byte
	ticket      func() []byte
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
	k := InstanceKey{key: newKey(id, bits)}
	for label, part := range map[string]*func() []byte{
		"ledger": &k.ledger, "row": &k.row, "checkpoint": &k.checkpoint,
		"ticket": &k.ticket,
	} {
		derived, err := hkdf.Key(sha256.New, bits, nil, "keysake v1 "+label, sha256.Size)
		if err != nil {
			return InstanceKey{}, fmt.Errorf("seal: derive from an instance key: %w", err)
		}
		*part = func() []byte { return derived }
	}
	return k, nil
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
func (k InstanceKey) LedgerMAC(data []byte) [sha256.Size]byte { return mac(k.ledger(), data) }

// RowMAC returns HMAC-SHA-256 (FIPS 198-1) of the canonical bytes of a row.
func (k InstanceKey) RowMAC(data []byte) [sha256.Size]byte { return mac(k.row(), data) }

// TicketMAC returns HMAC-SHA-256 (FIPS 198-1) of the id of a lease: the bits of its ticket.
func (k InstanceKey) TicketMAC(lease []byte) [sha256.Size]byte { return mac(k.ticket(), lease) }

func mac(key, data []byte) (sum [sha256.Size]byte) {
	h := hmac.New(sha256.New, key)
	h.Write(data)
	h.Sum(sum[:0])
	return sum
}

// Signer returns the Ed25519 key (RFC 8032) that signs checkpoints of the audit log.
func (k InstanceKey) Signer() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(k.checkpoint()) }

// SealingKey returns the private key of 32 bytes for sealed requests in a period of time. No two
// suites, which have the ids of package bundle, share a key.
func (k InstanceKey) SealingKey(suite uint16, period uint64) ([]byte, error) {
	info := binary.BigEndian.AppendUint16([]byte("keysake v1 sealing"), suite)
	info = binary.BigEndian.AppendUint64(info, period)
	return hkdf.Key(sha256.New, k.key.bits(), nil, string(info), sha256.Size)
}
