package seal

import "github.com/google/uuid"

// RootKeyOf makes a root key of known bits, which only a test has.
func RootKeyOf(bits []byte) (RootKey, error) { return newRootKey(bits) }

// OwnerKeyOf makes an owner key of known bits, which only a test has.
func OwnerKeyOf(id uuid.UUID, bits []byte) OwnerKey { return OwnerKey{newKey(id, bits)} }

// Bits returns what an owner key consists of.
func (k OwnerKey) Bits() []byte { return k.key.bits() }

// Bits returns what a root key consists of.
func (r RootKey) Bits() []byte { return r.key.bits() }
