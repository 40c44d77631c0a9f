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
	sum := sha256.Sum256(append(stamp[:], name+"\x00"+provider...))
	return Tag(hex.EncodeToString(sum[:8]))
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
