package seal

import "github.com/google/uuid"

// LocalRootKey is the root key whose bits are in memory.
type LocalRootKey = localRootKey

// RootKeyOf makes a root key of known bits, which only a test has.
func RootKeyOf(bits []byte) (RootKey, error) { return NewRootKey(bits) }

// OwnerKeyOf makes an owner key of known bits, which only a test has.
func OwnerKeyOf(id uuid.UUID, bits []byte) OwnerKey { return OwnerKey{newKey(id, bits)} }

// Bits returns what an owner key consists of.
func (k OwnerKey) Bits() []byte { return k.key.bits() }

// Bits returns what a root key in memory consists of.
func Bits(r RootKey) []byte { return r.(localRootKey).key.bits() }
