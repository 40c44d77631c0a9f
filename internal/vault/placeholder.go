package vault

import (
	"crypto/sha256"
	"strings"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/base62"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/plaintext"
)

// A Placeholder stands for a secret of a lease at the broker. A run gets it in place of the value:
// it looks like a key of the provider, and is worth nothing anywhere else.
type Placeholder struct {
	Secret   uuid.UUID
	Name     string
	Provider string
	Value    plaintext.Value
}

// A placeholder ends with 22 characters of base 62 for the id of its lease, by which the row is
// found, 43 for 256 bits, and 6 for a checksum. Before them is what keys of the provider begin
// with. As with a ticket, the bits are derived from the instance key, so that a request that is
// sent again can be answered, and what is stored is a hash of the whole.
const (
	placeholderLease  = 22 // characters: 62²² is the first power above 2¹²⁸
	placeholderBody   = placeholderLease + tokenBody
	placeholderTail   = placeholderBody + base62.ChecksumLength
	placeholderPrefix = "ksp_" // where the provider's keys have no form of their own
	maxPlaceholder    = 256

	leaseInPlaceholder = "{lease}" // in the catalog
)

// placeholderOf returns what stands for a secret of a lease. form is the catalog's, and may be
// empty.
func placeholderOf(key seal.InstanceKey, form string, lease, secret uuid.UUID) plaintext.Value {
	bits := key.TicketMAC(append(lease[:], secret[:]...))
	body := base62.Encode(lease[:], placeholderLease) + base62.Encode(bits[:], tokenBody)
	head, found := strings.CutSuffix(form, leaseInPlaceholder)
	if !found {
		head = placeholderPrefix
	}
	return plaintext.FromString(head + body + base62.Checksum([]byte(body)))
}

// readPlaceholder returns the hash of a placeholder and the id of its lease, and false for what
// cannot be one.
func readPlaceholder(v plaintext.Value) (hash TokenHash, lease uuid.UUID, ok bool) {
	b := v.Reveal()
	if len(b) < placeholderTail || len(b) > maxPlaceholder {
		return TokenHash{}, uuid.Nil, false
	}
	tail := b[len(b)-placeholderTail:]
	body, sum := tail[:placeholderBody], tail[placeholderBody:]
	if base62.Checksum(body) != string(sum) {
		return TokenHash{}, uuid.Nil, false
	}
	id, ok := base62.Decode(body[:placeholderLease], len(lease))
	if !ok {
		return TokenHash{}, uuid.Nil, false
	}
	return TokenHash(sha256.Sum256(b)), uuid.UUID(id), true
}
