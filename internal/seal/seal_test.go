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
	root, err := seal.RootKeyOf(random(32))
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

func TestWhatWasSealedOpensToTheSame(t *testing.T) {
	k, at := newOwnerKey(t), newBinding(t)
	for _, size := range []int{0, 1, 15, 16, 17, 64 << 10} {
		value := random(size)
		blob := sealValue(t, k, at, value)
		if len(blob) != size+seal.Overhead {
			t.Errorf("%d bytes became a blob of %d", size, len(blob))
		}
		if opened, err := k.OpenValue(at, blob); err != nil ||
			!bytes.Equal(opened.Reveal(), value) {
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

func TestACheckValueIsOpenedByItsRootKeyOnly(t *testing.T) {
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

func TestABlobOpensInItsOwnPlaceOnly(t *testing.T) {
	k, at := newOwnerKey(t), newBinding(t)
	value, mask := sealValue(t, k, at, []byte("x")), sealMask(t, k, at, "x")
	for name, elsewhere := range map[string]seal.Binding{
		"another owner":             {Owner: newID(t), Subject: at.Subject, Version: at.Version},
		"another subject":           {Owner: at.Owner, Subject: newID(t), Version: at.Version},
		"the version before":        {Owner: at.Owner, Subject: at.Subject, Version: at.Version - 1},
		"the version after":         {Owner: at.Owner, Subject: at.Subject, Version: at.Version + 1},
		"no version":                {Owner: at.Owner, Subject: at.Subject},
		"owner and subject swapped": {Owner: at.Subject, Subject: at.Owner, Version: at.Version},
		"nowhere":                   {},
	} {
		if v, err := k.OpenValue(elsewhere, value); !errors.Is(err, seal.ErrTampered) ||
			v.Len() > 0 {
			t.Errorf("the value in %s: %v", name, err)
		}
		if m, err := k.OpenMask(elsewhere, mask); !errors.Is(err, seal.ErrTampered) || m != "" {
			t.Errorf("the mask in %s: %v", name, err)
		}
	}
}

func TestAWrappedKeyOpensForItsOwnerAndIdOnly(t *testing.T) {
	root, k, owner := newRootKey(t), newOwnerKey(t), newID(t)
	wrapped, err := root.Wrap(t.Context(), owner, k)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := root.Unwrap(t.Context(), newID(t), k.ID(), wrapped); !errors.Is(
		err, seal.ErrTampered,
	) {
		t.Errorf("for another owner: %v", err)
	}
	if _, err := root.Unwrap(t.Context(), owner, newID(t), wrapped); !errors.Is(
		err, seal.ErrTampered,
	) {
		t.Errorf("under another id: %v", err)
	}
	if _, err := newRootKey(t).Unwrap(t.Context(), owner, k.ID(), wrapped); !errors.Is(
		err, seal.ErrOtherKey,
	) {
		t.Errorf("by another root key: %v", err)
	}
}

func TestABlobOfOnePurposeDoesNotOpenAsAnother(t *testing.T) {
	k, at := newOwnerKey(t), newBinding(t)
	if v, err := k.OpenValue(at, sealMask(t, k, at, "x")); !errors.Is(err, seal.ErrTampered) ||
		v.Len() > 0 {
		t.Errorf("a mask opens as a value: %v", err)
	}
	if m, err := k.OpenMask(
		at, sealValue(t, k, at, []byte("x")),
	); !errors.Is(err, seal.ErrTampered) ||
		m != "" {
		t.Errorf("a value opens as a mask: %v", err)
	}
}

func TestAnotherKeyOfTheSameIdDoesNotOpen(t *testing.T) {
	k, at := newOwnerKey(t), newBinding(t)
	impostor := seal.NewOwnerKey(k.ID())
	if v, err := impostor.OpenValue(
		at, sealValue(t, k, at, []byte("x")),
	); !errors.Is(err, seal.ErrTampered) ||
		v.Len() > 0 {
		t.Errorf("it opens: %v", err)
	}
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
	for purpose, row := range map[string]struct {
		attempt
		want []byte
	}{
		"value": {attempt{
			key: k.Bits(), keyID: k.ID(), owner: at.Owner, subject: at.Subject, version: at.Version,
			blob: sealValue(t, k, at, value),
		}, value},
		"mask": {attempt{
			key: k.Bits(), keyID: k.ID(), owner: at.Owner, subject: at.Subject, version: at.Version,
			blob: sealMask(t, k, at, "m"),
		}, []byte("m")},
		"owner-key":      {attempt{key: seal.Bits(root), keyID: rootID, owner: at.Owner, subject: k.ID(), blob: wrapped}, k.Bits()},
		"root-key-check": {attempt{key: seal.Bits(root), keyID: rootID, subject: rootID, blob: check}, nil},
	} {
		row.purpose = purpose
		if plain, end := row.read(); end != opens || !bytes.Equal(plain, row.want) {
			t.Errorf("%s: it ends with %q", purpose, end)
		}
	}
}

func TestARootKeysIdFollowsFromItsBits(t *testing.T) {
	root, err := seal.RootKeyOf(rootBits)
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
	if other, err := seal.RootKeyOf(otherRootBits); err != nil || other.ID() == root.ID() {
		t.Errorf("two root keys have one id (%v)", err)
	}
}
