package vault

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/keysake/keysake/internal/seal"
)

// A Tag names a state of a secret. Another value, name or provider has another tag, also after a
// restore, which may use a version's number again.
type Tag string

// Tag returns the tag of the secret as it is shown.
func (s Secret) Tag() Tag { return tagOf(s.Stamp, s.Name, s.Provider) }

func tagOf(stamp seal.Stamp, name, provider string) Tag {
	b := make([]byte, 0, 128) // on the stack, if that is enough
	b = append(append(append(append(b, stamp[:]...), name...), 0), provider...)
	sum := sha256.Sum256(b)
	return Tag(hex.AppendEncode(b[:0], sum[:8]))
}

// checkTag returns nil if the secret has one of the tags, or if there are none. Changed: it has
// another.
func (s StoredSecret) checkTag(anyOf []Tag) error {
	if len(anyOf) == 0 || slices.Contains(anyOf, tagOf(s.Stamp, s.Name, s.Provider)) {
		return nil
	}
	return &Error{
		Kind: Changed, Detail: "The secret has changed: read it again, and decide anew",
	}
}
