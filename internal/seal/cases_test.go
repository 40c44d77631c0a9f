package seal_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/google/uuid"
)

// The parts of the vectors, which are obviously not real: the keys count upwards, and the ids are
// almost empty.
var (
	rootBits, otherRootBits   = counting(0x00), counting(0x40)
	ownerBits, otherOwnerBits = counting(0x80), counting(0xc0)
	ownerKeyID, otherKeyID    = fakeID(0x0e), fakeID(0x0f)
	userID, otherUserID       = fakeID(0x01), fakeID(0x02)
	secretID, otherSecretID   = fakeID(0x51), fakeID(0x52)
	fakeValue                 = []byte("not-a-real-secret-but-as-long-as-one")
	fakeMask                  = []byte("not-a-••••one")
)

func counting(from byte) []byte {
	b := make([]byte, 32)
	for i := range b {
		b[i] = from + byte(i)
	}
	return b
}

func fakeID(last byte) uuid.UUID { return uuid.UUID{6: 0x70, 8: 0x80, 15: last} }

// cases collects vectors. Salts and nonces are derived from the names, so that the bytes never
// change.
type cases struct {
	t    *testing.T
	made map[string]vector
}

func makeVectors(t *testing.T) map[string]vector {
	t.Helper()
	c := &cases{t: t, made: map[string]vector{}}
	c.sealed()
	c.damaged()
	c.moved()
	c.withOtherKeys()
	c.rootKeys()
	return c.made
}

func (c *cases) add(name, about, expect string, a attempt, plain []byte) {
	c.t.Helper()
	if _, twice := c.made[name]; twice {
		c.t.Fatalf("%s is used twice", name)
	}
	v := vector{attempt: a, about: about, expect: expect}
	if expect == opens {
		v.plain = plain
	}
	c.made[name] = v
}

// seal returns the attempt with a blob that opens.
func (a attempt) seal(name string, plain []byte) attempt {
	salt, nonce := sha256.Sum256([]byte("salt of "+name)), sha256.Sum256([]byte("nonce of "+name))
	a.blob = a.write(salt[:16], nonce[:12], plain)
	return a
}

func valueAttempt() attempt {
	return attempt{
		purpose: "value", key: ownerBits, keyID: ownerKeyID,
		owner: userID, subject: secretID, version: 1,
	}
}

func maskAttempt() attempt {
	a := valueAttempt()
	a.purpose = "mask"
	return a
}

func ownerKeyAttempt() attempt {
	return attempt{
		purpose: "owner-key", key: rootBits, keyID: rootKeyID(rootBits),
		owner: userID, subject: ownerKeyID,
	}
}

func checkAttempt() attempt {
	return attempt{
		purpose: "root-key-check", key: rootBits, keyID: rootKeyID(rootBits),
		subject: rootKeyID(rootBits),
	}
}

// sealed has blobs that open.
func (c *cases) sealed() {
	add := func(name, about string, a attempt, plain []byte) {
		c.t.Helper()
		c.add(name, about, opens, a.seal(name, plain), plain)
	}
	last := valueAttempt()
	last.version = 1<<64 - 1
	add("value", "A value.", valueAttempt(), fakeValue)
	add("value-empty", "The empty value, which the format allows and the service refuses.",
		valueAttempt(), nil)
	add("value-one-byte", "A value of one byte.", valueAttempt(), []byte{'x'})
	add("value-utf-8", "A value with characters of two, three and four bytes.", valueAttempt(),
		[]byte("é日😀"))
	add("value-last-version", "The highest version number that the format has.", last, fakeValue)
	add("mask", "A mask.", maskAttempt(), fakeMask)
	add("mask-bullets", "The mask of a short value.", maskAttempt(), []byte("••••"))
	add("owner-key", "An owner key, wrapped by the root key.", ownerKeyAttempt(), ownerBits)
	add("check", "A root key's check value, which seals nothing.", checkAttempt(), nil)
}

// damaged has a blob with changed bytes. Its unchanged form is a vector, too: a fuzzer may find it.
func (c *cases) damaged() {
	whole := valueAttempt().seal("value", fakeValue)
	flip := func(name, about, expect string, i int) {
		a := whole
		a.blob = bytes.Clone(whole.blob)
		a.blob[i] ^= 1
		c.add(name, about, expect, a, nil)
	}
	for i := range 33 {
		expect, part := tampered, "salt"
		switch {
		case i == 0:
			expect, part = format, "format byte"
		case i < 17:
			expect, part = otherKey, "key id"
		}
		flip(fmt.Sprintf("flipped-header-%02d", i),
			fmt.Sprintf("A bit of byte %d, in the %s, is flipped.", i, part), expect, i)
	}
	end := len(whole.blob)
	flip("flipped-nonce-first", "A bit of the nonce's first byte is flipped.", tampered, 33)
	flip("flipped-nonce-last", "A bit of the nonce's last byte is flipped.", tampered, 44)
	flip("flipped-ciphertext-first", "A bit of the ciphertext's first byte is flipped.", tampered,
		45)
	flip("flipped-ciphertext-last", "A bit of the ciphertext's last byte is flipped.", tampered,
		end-17)
	flip("flipped-tag-first", "A bit of the tag's first byte is flipped.", tampered, end-16)
	flip("flipped-tag-last", "A bit of the tag's last byte is flipped.", tampered, end-1)
	for _, b := range []byte{2, 0x7f, 0xff} {
		a := whole
		a.blob = bytes.Clone(whole.blob)
		a.blob[0] = b
		c.add(fmt.Sprintf("format-%02x", b), "An unknown format byte.", format, a, nil)
	}
	cut := func(name, about, expect string, size int) {
		a := whole
		a.blob = whole.blob[:size]
		c.add(name, about, expect, a, nil)
	}
	cut("truncated-one", "The last byte is missing.", tampered, end-1)
	cut("truncated-ciphertext", "As short as the blob of an empty value.", tampered, 61)
	cut("truncated-tag", "Shorter than any blob.", format, 60)
	cut("truncated-header", "Only the header.", format, 33)
	cut("truncated-all", "Nothing at all.", format, 0)
	longer := whole
	longer.blob = append(bytes.Clone(whole.blob), 0)
	c.add("longer-one", "One byte follows the tag.", tampered, longer, nil)
}

// moved has blobs that are opened with another purpose or binding than they were sealed with.
func (c *cases) moved() {
	move := func(name, about string, from attempt, plain []byte, to func(*attempt)) {
		a := from.seal(name, plain)
		to(&a)
		c.add(name, about, tampered, a, nil)
	}
	owner := func(id uuid.UUID) func(*attempt) { return func(a *attempt) { a.owner = id } }
	subject := func(id uuid.UUID) func(*attempt) { return func(a *attempt) { a.subject = id } }
	version := func(n uint64) func(*attempt) { return func(a *attempt) { a.version = n } }
	purpose := func(p string) func(*attempt) { return func(a *attempt) { a.purpose = p } }

	value, mask, ownerKey := valueAttempt(), maskAttempt(), ownerKeyAttempt()
	move("moved-to-another-secret", "Read as the value of another secret.",
		value, fakeValue, subject(otherSecretID))
	move("moved-to-another-user", "Read as the value of another user's secret.",
		value, fakeValue, owner(otherUserID))
	move("moved-to-the-next-version", "An old value put back.", value, fakeValue, version(2))
	move("moved-to-version-0", "Read as what has no versions.", value, fakeValue, version(0))
	move("value-as-mask", "A value read as a mask, which would show it.",
		value, fakeValue, purpose("mask"))
	move("mask-as-value", "A mask read as a value.", mask, fakeMask, purpose("value"))
	move("mask-moved-to-another-secret", "Read as the mask of another secret.",
		mask, fakeMask, subject(otherSecretID))
	move("mask-moved-to-the-next-version", "An old mask put back.", mask, fakeMask, version(2))
	move("owner-and-secret-swapped", "The two ids of the binding are swapped.",
		value, fakeValue, func(a *attempt) { a.owner, a.subject = a.subject, a.owner })
	move("owner-key-moved-to-another-user", "Another user's owner key.",
		ownerKey, ownerBits, owner(otherUserID))
	move("owner-key-under-another-id", "An owner key read as another one of the same user.",
		ownerKey, ownerBits, subject(otherKeyID))
	move("check-as-owner-key", "A check value read as an owner key.",
		checkAttempt(), nil, purpose("owner-key"))
	move("owner-key-as-check", "An owner key read as a check value.",
		ownerKey, ownerBits, func(a *attempt) {
			blob := a.blob
			*a = checkAttempt()
			a.blob = blob
		})
}

// withOtherKeys has blobs of one owner key that are opened with another one.
func (c *cases) withOtherKeys() {
	a := valueAttempt().seal("value-other-key-same-id", fakeValue)
	a.key = otherOwnerBits
	c.add("value-other-key-same-id", "The key that is tried has the right id and other bits.",
		tampered, a, nil)
	a = valueAttempt().seal("value-other-key", fakeValue)
	a.key, a.keyID = otherOwnerBits, otherKeyID
	c.add("value-other-key", "The key that is tried has another id.", otherKey, a, nil)
	a = valueAttempt().seal("value-same-key-other-id", fakeValue)
	a.keyID = otherKeyID
	c.add("value-same-key-other-id", "The key that is tried has the right bits and another id.",
		otherKey, a, nil)
	a = maskAttempt().seal("mask-other-key", fakeMask)
	a.key, a.keyID = otherOwnerBits, otherKeyID
	c.add("mask-other-key", "The key that is tried has another id.", otherKey, a, nil)
	a = maskAttempt().seal("mask", fakeMask)
	a.blob = a.blob[:60]
	c.add("mask-truncated", "Shorter than any blob.", format, a, nil)
}

// rootKeys has blobs of a root key that do not open.
func (c *cases) rootKeys() {
	other := func(a attempt) attempt {
		a.key, a.keyID = otherRootBits, rootKeyID(otherRootBits)
		return a
	}
	a := other(ownerKeyAttempt().seal("owner-key-other-root-key", ownerBits))
	c.add("owner-key-other-root-key", "Another root key is tried.", otherKey, a, nil)
	a = other(checkAttempt().seal("check-other-root-key", nil))
	a.subject = a.keyID
	c.add("check-other-root-key", "Another root key is tried.", otherKey, a, nil)
	a = checkAttempt().seal("check", nil)
	a.blob[len(a.blob)-1] ^= 1
	c.add("check-flipped-tag", "A bit of the tag is flipped.", tampered, a, nil)
	a = checkAttempt().seal("check", nil)
	a.blob[0] = 2
	c.add("check-format-02", "An unknown format byte.", format, a, nil)
	for _, size := range []int{0, 31, 33} {
		name := fmt.Sprintf("owner-key-of-%d-bytes", size)
		a := ownerKeyAttempt().seal(name, bytes.Repeat([]byte{0xee}, size))
		c.add(name, "It wraps something that is not as long as a key.", format, a, nil)
	}
}
