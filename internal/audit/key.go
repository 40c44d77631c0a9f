package audit

import (
	"crypto/ed25519"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/note"
)

// keyName is the name of the key that signs for an instance key, as a note's signature has it.
func keyName(instanceKey uuid.UUID) string { return "keysake/" + instanceKey.String() }

// KeyOf returns the id of the instance key to which a public key belongs; nil for what has another
// form.
func KeyOf(public string) uuid.UUID {
	name, _, _ := strings.Cut(public, "+")
	id, _ := uuid.Parse(strings.TrimPrefix(name, "keysake/"))
	return id
}

// VerifierKey returns the public key that verifies the checkpoints of an instance key, in the
// encoding of [note.NewVerifier]: the name, a hash of name and key, and the key.
func VerifierKey(instanceKey uuid.UUID, key ed25519.PublicKey) (string, error) {
	return note.NewEd25519VerifierKey(keyName(instanceKey), key)
}

// A signer signs notes. It implements [note.Signer].
type signer struct {
	note.Verifier

	key ed25519.PrivateKey
}

func newSigner(instanceKey uuid.UUID, key ed25519.PrivateKey) (signer, error) {
	public, _ := key.Public().(ed25519.PublicKey)
	text, err := VerifierKey(instanceKey, public)
	if err != nil {
		return signer{}, err
	}
	v, err := note.NewVerifier(text)
	return signer{v, key}, err
}

// Sign implements [note.Signer].
func (s signer) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.key, msg), nil }

// verifiers returns the keys that are believed.
func verifiers(keys []string) (note.Verifiers, error) {
	list := make([]note.Verifier, 0, len(keys))
	for _, key := range keys {
		v, err := note.NewVerifier(key)
		if err != nil {
			return nil, fmt.Errorf("%w: %q", ErrKey, key)
		}
		list = append(list, v)
	}
	return note.VerifierList(list...), nil
}
