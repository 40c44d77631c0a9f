package seal_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/plaintext"
)

func newID(t *testing.T) uuid.UUID {
	t.Helper()
	id, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func newOwnerKey(t *testing.T) seal.OwnerKey {
	t.Helper()
	return seal.NewOwnerKey(newID(t))
}

func newBinding(t *testing.T) seal.Binding {
	t.Helper()
	return seal.Binding{Owner: newID(t), Subject: newID(t), Version: 7}
}

func newRootKey(t *testing.T) seal.RootKey {
	t.Helper()
	root, err := seal.NewRootKey(random(32))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func sealValue(t *testing.T, k seal.OwnerKey, at seal.Binding, value []byte) []byte {
	t.Helper()
	blob, err := k.SealValue(at, plaintext.New(value))
	if err != nil {
		t.Fatal(err)
	}
	return blob
}

func sealMask(t *testing.T, k seal.OwnerKey, at seal.Binding, mask string) []byte {
	t.Helper()
	blob, err := k.SealMask(at, mask)
	if err != nil {
		t.Fatal(err)
	}
	return blob
}

func assertNoValue(t *testing.T, what string, k seal.OwnerKey, at seal.Binding, blob []byte) {
	t.Helper()
	if v, err := k.OpenValue(at, blob); !errors.Is(err, seal.ErrTampered) || v.Len() > 0 {
		t.Errorf("%s opens as a value, or shows something: %v", what, err)
	}
}

func assertNoMask(t *testing.T, what string, k seal.OwnerKey, at seal.Binding, blob []byte) {
	t.Helper()
	if m, err := k.OpenMask(at, blob); !errors.Is(err, seal.ErrTampered) || m != "" {
		t.Errorf("%s opens as a mask, or shows something: %v", what, err)
	}
}

func TestWhatWasSealedOpensToTheSame(t *testing.T) {
	k, at := newOwnerKey(t), newBinding(t)
	for _, size := range []int{0, 1, 15, 16, 17, 64 << 10} {
		value := random(size)
		blob := sealValue(t, k, at, value)
		if len(blob) != size+seal.Overhead {
			t.Errorf("%d bytes became a blob of %d", size, len(blob))
		}
		opened, err := k.OpenValue(at, blob)
		if err != nil || !bytes.Equal(opened.Reveal(), value) {
			t.Errorf("a value of %d bytes does not open to itself: %v", size, err)
		}
		mask := string(value)
		if opened, err := k.OpenMask(at, sealMask(t, k, at, mask)); err != nil || opened != mask {
			t.Errorf("a mask of %d bytes does not open to itself: %v", size, err)
		}
	}
}

func TestAnOwnerKeyComesBackFromItsWrapping(t *testing.T) {
	root, k, owner := newRootKey(t), newOwnerKey(t), newID(t)
	at := newBinding(t)
	blob := sealValue(t, k, at, []byte("x"))
	wrapped, err := root.Wrap(t.Context(), owner, k)
	if err != nil {
		t.Fatal(err)
	}
	again, err := root.Unwrap(t.Context(), owner, k.ID(), wrapped)
	if err != nil {
		t.Fatal(err)
	}
	if again.ID() != k.ID() {
		t.Error("it has another id")
	}
	if _, err := again.OpenValue(at, blob); err != nil {
		t.Errorf("it does not open what it sealed before: %v", err)
	}
}

func TestTwoNewOwnerKeysDiffer(t *testing.T) {
	if bytes.Equal(newOwnerKey(t).Bits(), newOwnerKey(t).Bits()) {
		t.Error("they are the same")
	}
}

func TestARootKeyOfAnotherSizeIsRefused(t *testing.T) {
	for _, size := range []int{0, 16, 31, 33, 64} {
		if _, err := seal.NewRootKey(random(size)); !errors.Is(err, seal.ErrKeySize) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func TestOnlyItsRootKeyOpensACheckValue(t *testing.T) {
	root, other := newRootKey(t), newRootKey(t)
	check, err := root.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := root.OpenCheck(t.Context(), check); err != nil {
		t.Errorf("its own: %v", err)
	}
	if err := other.OpenCheck(t.Context(), check); !errors.Is(err, seal.ErrOtherKey) {
		t.Errorf("another: %v", err)
	}
}

func TestABlobOpensOnlyWithItsOwnBinding(t *testing.T) {
	k, at := newOwnerKey(t), newBinding(t)
	value, mask := sealValue(t, k, at, []byte("x")), sealMask(t, k, at, "x")
	for name, elsewhere := range map[string]seal.Binding{
		"another owner":             {Owner: newID(t), Subject: at.Subject, Version: at.Version},
		"another subject":           {Owner: at.Owner, Subject: newID(t), Version: at.Version},
		"the version before":        {Owner: at.Owner, Subject: at.Subject, Version: at.Version - 1},
		"the version after":         {Owner: at.Owner, Subject: at.Subject, Version: at.Version + 1},
		"no version":                {Owner: at.Owner, Subject: at.Subject},
		"owner and subject swapped": {Owner: at.Subject, Subject: at.Owner, Version: at.Version},
		"nothing":                   {},
	} {
		assertNoValue(t, "the value with "+name, k, elsewhere, value)
		assertNoMask(t, "the mask with "+name, k, elsewhere, mask)
	}
}

func TestAWrappedKeyOpensOnlyForItsOwnerAndId(t *testing.T) {
	root, k, owner := newRootKey(t), newOwnerKey(t), newID(t)
	wrapped, err := root.Wrap(t.Context(), owner, k)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		root      seal.RootKey
		owner, id uuid.UUID
		want      error
	}{
		"another owner":    {root, newID(t), k.ID(), seal.ErrTampered},
		"another id":       {root, owner, newID(t), seal.ErrTampered},
		"another root key": {newRootKey(t), owner, k.ID(), seal.ErrOtherKey},
	} {
		if _, err := c.root.Unwrap(t.Context(), c.owner, c.id, wrapped); !errors.Is(err, c.want) {
			t.Errorf("with %s: %v", name, err)
		}
	}
}

func TestABlobOfOnePurposeDoesNotOpenAsAnother(t *testing.T) {
	k, at := newOwnerKey(t), newBinding(t)
	assertNoValue(t, "a mask", k, at, sealMask(t, k, at, "x"))
	assertNoMask(t, "a value", k, at, sealValue(t, k, at, []byte("x")))
}

func TestAnotherKeyOfTheSameIdDoesNotOpen(t *testing.T) {
	k, at := newOwnerKey(t), newBinding(t)
	impostor := seal.NewOwnerKey(k.ID())
	assertNoValue(t, "with other bits", impostor, at, sealValue(t, k, at, []byte("x")))
}

func TestTwoSealsOfTheSameValueHaveNothingInCommonButTheHeader(t *testing.T) {
	k, at := newOwnerKey(t), newBinding(t)
	seen := map[string]bool{}
	for range 100 {
		blob := sealValue(t, k, at, make([]byte, 32))
		for _, part := range [][]byte{blob[17:33], blob[33:45], blob[45:61], blob[len(blob)-16:]} {
			if seen[string(part)] {
				t.Fatal("a salt, a nonce, a ciphertext or a tag is there twice")
			}
			seen[string(part)] = true
		}
	}
}

func TestNoChangedBitOfABlobIsOverlooked(t *testing.T) {
	k, at := newOwnerKey(t), newBinding(t)
	blob := sealValue(t, k, at, []byte("some value"))
	for i := range len(blob) * 8 {
		changed := bytes.Clone(blob)
		changed[i/8] ^= 1 << (i % 8)
		if v, err := k.OpenValue(at, changed); err == nil || v.Len() > 0 {
			t.Errorf("with bit %d of byte %d flipped it opens", i%8, i/8)
		}
	}
	for size := range blob {
		if v, err := k.OpenValue(at, blob[:size]); err == nil || v.Len() > 0 {
			t.Errorf("cut to %d bytes it opens", size)
		}
	}
}

func TestTheKeyIdOfABlobIsReadWithoutAKey(t *testing.T) {
	k := newOwnerKey(t)
	blob := sealValue(t, k, newBinding(t), []byte("x"))
	if id, err := seal.KeyID(blob); err != nil || id != k.ID() {
		t.Errorf("got %s (%v), want %s", id, err, k.ID())
	}
	if _, err := seal.KeyID(blob[:seal.Overhead-1]); !errors.Is(err, seal.ErrFormat) {
		t.Errorf("of what is too short: %v", err)
	}
}

func TestAnIndependentReaderOpensWhatIsSealedNow(t *testing.T) {
	root, k, at := newRootKey(t), newOwnerKey(t), newBinding(t)
	wrapped, err := root.Wrap(t.Context(), at.Owner, k)
	if err != nil {
		t.Fatal(err)
	}
	check, err := root.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rootID := rootKeyID(seal.Bits(root))
	value := random(1000)
	sealed := attempt{key: k.Bits(), keyID: k.ID(), version: at.Version}
	wrapping := attempt{key: seal.Bits(root), keyID: rootID}
	for _, c := range []struct {
		purpose        string
		as             attempt
		owner, subject uuid.UUID
		blob, want     []byte
	}{
		{"value", sealed, at.Owner, at.Subject, sealValue(t, k, at, value), value},
		{"mask", sealed, at.Owner, at.Subject, sealMask(t, k, at, "m"), []byte("m")},
		{"owner-key", wrapping, at.Owner, k.ID(), wrapped, k.Bits()},
		{"root-key-check", wrapping, uuid.Nil, rootID, check, nil},
	} {
		a := c.as
		a.purpose, a.owner, a.subject, a.blob = c.purpose, c.owner, c.subject, c.blob
		if plain, end := a.read(); end != opens || !bytes.Equal(plain, c.want) {
			t.Errorf("%s: it ends with %q", c.purpose, end)
		}
	}
}

func TestARootKeysIdFollowsFromItsBits(t *testing.T) {
	root, err := seal.NewRootKey(rootBits)
	if err != nil {
		t.Fatal(err)
	}
	const pinned = "2025be8e-678a-8313-b017-54ae8c4e262e"
	if diff := cmp.Diff(pinned, root.ID().String()); diff != "" {
		t.Errorf("the id of the same bits has moved (-want +got):\n%s", diff)
	}
	if root.ID().Version() != 8 || root.ID().Variant() != uuid.RFC4122 {
		t.Errorf("%s is no UUID of version 8", root.ID())
	}
	if other, err := seal.NewRootKey(otherRootBits); err != nil || other.ID() == root.ID() {
		t.Errorf("two root keys have one id (%v)", err)
	}
}

func TestTheIdOfAServicesRootKeyFollowsFromItsURL(t *testing.T) {
	// The first half of SHA-256("keysake v1 service-root-key-id hashivault://keysake"), as a UUID.
	const pinned = "16037140-3dc6-82eb-bc5e-62c340c652cd"
	id := seal.ServiceRootKeyID("hashivault://keysake")
	if id.String() != pinned || id.Version() != 8 || id.Variant() != uuid.RFC4122 {
		t.Errorf("it is %s", id)
	}
}
