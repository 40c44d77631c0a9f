package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"
)

// A mac returns HMAC-SHA-256 (FIPS 198-1) of data, with a key that it has. It is safe for
// concurrent use.
type mac func(data []byte) [sha256.Size]byte

// newMAC returns the mac of a key. The key is hashed once for each context, of which there are as
// many as are used at once, and not for each code. They are gone with the mac.
func newMAC(key []byte) mac {
	type context struct {
		hash hash.Hash
		sum  [sha256.Size]byte
	}
	contexts := &sync.Pool{New: func() any { return &context{hash: hmac.New(sha256.New, key)} }}
	return func(data []byte) [sha256.Size]byte {
		c, _ := contexts.Get().(*context)
		defer contexts.Put(c)
		c.hash.Reset()
		c.hash.Write(data)
		c.hash.Sum(c.sum[:0])
		return c.sum
	}
}
