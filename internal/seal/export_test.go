package seal

// LocalRootKey is the root key whose bits are in memory.
type LocalRootKey = localRootKey

// OwnerKeyOf makes an owner key of known bits, which only tests do.
var OwnerKeyOf = ownerKeyOf

// Bits returns the bits of an owner key.
func (k OwnerKey) Bits() []byte { return k.key.bits() }

// Bits returns the bits of a root key in memory.
func Bits(r RootKey) []byte { return r.(localRootKey).key.bits() }

// Bits returns the bits of an instance key, and all that it keeps of them.
func (k InstanceKey) Bits() [][]byte {
	all := [][]byte{k.key.bits(), k.checkpoint()}
	for _, label := range []string{"ledger", "row", "ticket"} {
		bits, _ := derive(k.key.bits(), label, KeySize)
		all = append(all, bits)
	}
	return all
}
