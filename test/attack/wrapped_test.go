package attack_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"os"
	"testing"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/apptest"
)

// wrapUnder wraps bits of the attacker's as an owner key of a person, with the house's own root key
// and under any id. Package seal does not do that; this is format.md, by hand.
func (h *House) wrapUnder(p Person, id uuid.UUID) []byte {
	h.t.Helper()
	const purpose = "owner-key"
	root, err := os.ReadFile(h.cfg.Data + ".root-key")
	apptest.Must(h.t, err)
	rootID, user := h.trueRootKey().ID(), uuid.MustParse(p.id)
	salt, bits := make([]byte, 16), make([]byte, 32)
	_, _ = rand.Read(salt)
	_, _ = rand.Read(bits)
	key, err := hkdf.Key(sha256.New, root, salt, "keysake v1 "+purpose, 32)
	apptest.Must(h.t, err)
	block, err := aes.NewCipher(key)
	apptest.Must(h.t, err)
	aead, err := cipher.NewGCMWithRandomNonce(block)
	apptest.Must(h.t, err)
	associated := bytes.Join([][]byte{
		{1}, rootID[:], {byte(len(purpose))}, []byte(purpose), user[:], id[:],
	}, nil)
	return aead.Seal(bytes.Join([][]byte{{1}, rootID[:], salt}, nil), nil, bits, associated)
}

// Whoever may ask a key service to wrap, or has the public key of one that wraps with RSA, can make
// a wrapped owner key that opens. The id does not follow from its bits.
func TestAnOwnerKeyThatIsValidlyWrappedUnderTheIDOfTheTrueOneSealsNothing(t *testing.T) {
	h := newHouse(t)
	own := h.ownerKey(h.mia)
	forged := h.wrapUnder(h.mia, uuid.MustParse(own.text("id")))
	h.change("owner_keys", own, own.with("wrapped", forged))
	h.restart()
	before := h.dump()
	_, err := h.as(h.mia).CreateSecret(t.Context(), secretOf(h.mia, "NEW"))
	h.tampering("a create", err)
	h.unchanged(before, "secrets")
	h.named()
}
