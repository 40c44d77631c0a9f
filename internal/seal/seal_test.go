package seal_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/plaintext"
)

func newID(tb testing.TB) uuid.UUID {
	tb.Helper()
	id, err := uuid.NewV7()
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

func newOwnerKey(tb testing.TB) seal.OwnerKey {
	tb.Helper()
	k, err := seal.NewOwnerKey()
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func newBinding(tb testing.TB) seal.Binding {
	tb.Helper()
	at := time.Date(2026, 4, 15, 12, 0, 0, 123_456_000, time.UTC)
	return seal.Binding{
		User: newID(tb), Secret: newID(tb), Version: 7, Stamp: seal.NewStamp(),
		Name: "SOME_TOKEN", Provider: "some", SecretCreatedAt: at, CreatedAt: at.Add(time.Hour),
	}
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

func sealValue(k seal.OwnerKey, at seal.Binding, value []byte) []byte {
	return k.SealValue(at, plaintext.New(value))
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
		blob := sealValue(k, at, value)
		if len(blob) != size+seal.Overhead {
			t.Errorf("%d bytes became a blob of %d", size, len(blob))
		}
		opened, err := k.OpenValue(at, blob)
		if err != nil || !bytes.Equal(opened.Reveal(), value) {
			t.Errorf("a value of %d bytes does not open to itself: %v", size, err)
		}
		mask := string(value)
		if opened, err := k.OpenMask(at, k.SealMask(at, mask)); err != nil || opened != mask {
			t.Errorf("a mask of %d bytes does not open to itself: %v", size, err)
		}
	}
}

func TestAnOwnerKeyComesBackFromItsWrapping(t *testing.T) {
	root, k, owner := newRootKey(t), newOwnerKey(t), newID(t)
	at := newBinding(t)
	blob := sealValue(k, at, []byte("x"))
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
	value, mask := sealValue(k, at, []byte("x")), k.SealMask(at, "x")
	for name, move := range map[string]func(*seal.Binding){
		"another user":            func(b *seal.Binding) { b.User = newID(t) },
		"another secret":          func(b *seal.Binding) { b.Secret = newID(t) },
		"the version before":      func(b *seal.Binding) { b.Version-- },
		"the version after":       func(b *seal.Binding) { b.Version++ },
		"no version":              func(b *seal.Binding) { b.Version = 0 },
		"another stamp":           func(b *seal.Binding) { b.Stamp = seal.NewStamp() },
		"user and secret swapped": func(b *seal.Binding) { b.User, b.Secret = b.Secret, b.User },
		"nothing":                 func(b *seal.Binding) { *b = seal.Binding{} },
	} {
		elsewhere := at
		move(&elsewhere)
		assertNoValue(t, "the value with "+name, k, elsewhere, value)
		assertNoMask(t, "the mask with "+name, k, elsewhere, mask)
	}
	for name, move := range map[string]func(*seal.Binding){
		"another name":     func(b *seal.Binding) { b.Name += "S" },
		"no name":          func(b *seal.Binding) { b.Name = "" },
		"another provider": func(b *seal.Binding) { b.Provider = "other" },
		"a shifted letter": func(b *seal.Binding) { b.Name, b.Provider = "SOME_TOKE", "Nsome" },
		"another birth":    func(b *seal.Binding) { b.SecretCreatedAt = b.CreatedAt },
		"a microsecond":    func(b *seal.Binding) { b.CreatedAt = b.CreatedAt.Add(time.Microsecond) },
		"times swapped": func(b *seal.Binding) {
			b.SecretCreatedAt, b.CreatedAt = b.CreatedAt, b.SecretCreatedAt
		},
	} {
		elsewhere := at
		move(&elsewhere)
		assertNoMask(t, "the mask with "+name, k, elsewhere, mask)
		if _, err := k.OpenValue(elsewhere, value); err != nil {
			t.Errorf("with %s the value does not open, which is bound to its stamp: %v", name, err)
		}
	}
	local := at
	local.CreatedAt = local.CreatedAt.In(time.FixedZone("elsewhere", 3600)).Add(999)
	if _, err := k.OpenMask(local, mask); err != nil {
		t.Errorf("with the same microsecond elsewhere: %v", err)
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
	assertNoValue(t, "a mask", k, at, k.SealMask(at, "x"))
	assertNoMask(t, "a value", k, at, sealValue(k, at, []byte("x")))
}

func TestABlobThatNamesAKeyWhichDidNotMakeItDoesNotOpen(t *testing.T) {
	k, other, at := newOwnerKey(t), newOwnerKey(t), newBinding(t)
	id := k.ID()
	blob := sealValue(other, at, []byte("x"))
	copy(blob[1:], id[:])
	assertNoValue(t, "what another key made", k, at, blob)
}

func TestTwoStampsDiffer(t *testing.T) {
	seen := map[seal.Stamp]bool{}
	for range 100 {
		seen[seal.NewStamp()] = true
	}
	if len(seen) != 100 {
		t.Errorf("of 100 only %d do", len(seen))
	}
}

func TestManyUseAnOwnerKeyAtOnce(t *testing.T) {
	k, at := newOwnerKey(t), newBinding(t)
	var users sync.WaitGroup
	for i := range 8 {
		users.Go(func() {
			at, mask := at, strings.Repeat("m", i)
			at.Version += uint64(i)
			for range 200 {
				opened, err := k.OpenMask(at, k.SealMask(at, mask))
				if err != nil || opened != mask {
					t.Errorf("a mask of %d bytes does not open to itself: %v", i, err)
				}
			}
		})
	}
	users.Wait()
}

func TestTwoSealsOfTheSameValueHaveNothingInCommonButTheHeader(t *testing.T) {
	k, at := newOwnerKey(t), newBinding(t)
	seen := map[string]bool{}
	for range 100 {
		blob := sealValue(k, at, make([]byte, 32))
		for _, part := range [][]byte{blob[17:29], blob[29:45], blob[len(blob)-16:]} {
			if seen[string(part)] {
				t.Fatal("a nonce, a ciphertext or a tag is there twice")
			}
			seen[string(part)] = true
		}
	}
}

func TestNoChangedBitOfABlobIsOverlooked(t *testing.T) {
	k, at := newOwnerKey(t), newBinding(t)
	blob := sealValue(k, at, []byte("some value"))
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
	blob := sealValue(k, newBinding(t), []byte("x"))
	if id, err := seal.KeyID(blob); err != nil || id != k.ID() {
		t.Errorf("got %s (%v), want %s", id, err, k.ID())
	}
	if _, err := seal.KeyID(blob[:seal.Overhead-1]); !errors.Is(err, seal.ErrFormat) {
		t.Errorf("of what is too short: %v", err)
	}
}

func TestAnIndependentReaderOpensWhatIsSealedNow(t *testing.T) {
	root, k, at := newRootKey(t), newOwnerKey(t), newBinding(t)
	wrapped, err := root.Wrap(t.Context(), at.User, k)
	if err != nil {
		t.Fatal(err)
	}
	check, err := root.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rootID := rootKeyID(seal.Bits(root))
	value := random(1000)
	sealed := attempt{
		key: k.Bits(), keyID: k.ID(), version: at.Version, stamp: at.Stamp,
		name: at.Name, provider: at.Provider,
		secretMade: at.SecretCreatedAt.UnixMicro(), made: at.CreatedAt.UnixMicro(),
	}
	wrapping := attempt{key: seal.Bits(root), keyID: rootID}
	for _, c := range []struct {
		purpose        string
		as             attempt
		owner, subject uuid.UUID
		blob, want     []byte
	}{
		{"value", sealed, at.User, at.Secret, sealValue(k, at, value), value},
		{"mask", sealed, at.User, at.Secret, k.SealMask(at, "m"), []byte("m")},
		{"owner-key", wrapping, at.User, k.ID(), wrapped, k.Bits()},
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

func TestAnOwnerKeysIdFollowsFromItsBits(t *testing.T) {
	k, err := seal.OwnerKeyOf(ownerBits)
	if err != nil {
		t.Fatal(err)
	}
	const pinned = "44e3ddb1-f7d0-8228-bfd8-43faac7552ee"
	if k.ID().String() != pinned || k.ID().Version() != 8 || k.ID().Variant() != uuid.RFC4122 {
		t.Errorf("the id of the same bits has moved: it is %s", k.ID())
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
