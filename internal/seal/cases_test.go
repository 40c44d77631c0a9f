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
	ownerKeyID                = keyID("owner-key-id", ownerBits)
	otherKeyID                = keyID("owner-key-id", otherOwnerBits)
	instanceBits              = counting(0x20)
	instanceID                = keyID("instance-key-id", instanceBits)
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
		owner: userID, subject: secretID, version: 1, stamp: [16]byte(counting(0xa0)[:16]),
	}
}

func maskAttempt() attempt {
	a := valueAttempt()
	a.purpose, a.name, a.provider = "mask", "SOME_TOKEN", "some"
	a.secretMade, a.made = 1_750_000_000_000_000, 1_750_000_000_000_001
	return a
}

func ownerKeyAttempt() attempt {
	return attempt{
		purpose: "owner-key", key: rootBits, keyID: rootKeyID(rootBits),
		owner: userID, subject: ownerKeyID,
	}
}

func instanceKeyAttempt() attempt {
	a := ownerKeyAttempt()
	a.purpose, a.owner, a.subject = "instance-key", uuid.Nil, instanceID
	return a
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
	custom := maskAttempt()
	custom.name, custom.provider, custom.made = "é日😀", "", -1
	add("mask-of-a-custom-secret", "Of no provider, with a name that is not ASCII, before 1970.",
		custom, fakeMask)
	add("owner-key", "An owner key, wrapped by the root key.", ownerKeyAttempt(), ownerBits)
	add("instance-key", "An instance key, wrapped by the root key.", instanceKeyAttempt(),
		instanceBits)
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
	for i := range 17 {
		expect, part := otherKey, "key id"
		if i == 0 {
			expect, part = format, "format byte"
		}
		flip(fmt.Sprintf("flipped-header-%02d", i),
			fmt.Sprintf("A bit of byte %d, in the %s, is flipped.", i, part), expect, i)
	}
	end := len(whole.blob)
	flip("flipped-nonce-first", "A bit of the nonce's first byte is flipped.", tampered, 17)
	flip("flipped-nonce-last", "A bit of the nonce's last byte is flipped.", tampered, 28)
	flip("flipped-ciphertext-first", "A bit of the ciphertext's first byte is flipped.", tampered,
		29)
	flip("flipped-ciphertext-last", "A bit of the ciphertext's last byte is flipped.", tampered,
		end-17)
	flip("flipped-tag-first", "A bit of the tag's first byte is flipped.", tampered, end-16)
	flip("flipped-tag-last", "A bit of the tag's last byte is flipped.", tampered, end-1)
	for _, b := range []byte{1, 2, 0x7f, 0xff} {
		a := whole
		a.blob = bytes.Clone(whole.blob)
		a.blob[0] = b
		c.add(fmt.Sprintf("format-%02x", b), "The format byte of something else.", format, a, nil)
	}
	cut := func(name, about, expect string, size int) {
		a := whole
		a.blob = whole.blob[:size]
		c.add(name, about, expect, a, nil)
	}
	cut("truncated-one", "The last byte is missing.", tampered, end-1)
	cut("truncated-ciphertext", "As short as the blob of an empty value.", tampered, 45)
	cut("truncated-tag", "Shorter than any blob.", format, 44)
	cut("truncated-header", "Only the header.", format, 17)
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
	stamp := func(a *attempt) { a.stamp[15]++ }
	purpose := func(p string) func(*attempt) { return func(a *attempt) { a.purpose = p } }

	value, mask, ownerKey := valueAttempt(), maskAttempt(), ownerKeyAttempt()
	move("moved-to-another-secret", "Read as the value of another secret.",
		value, fakeValue, subject(otherSecretID))
	move("moved-to-another-user", "Read as the value of another user's secret.",
		value, fakeValue, owner(otherUserID))
	move("moved-to-the-next-version", "An old value put back.", value, fakeValue, version(2))
	move("moved-to-version-0", "Read as what has no versions.", value, fakeValue, version(0))
	move("moved-to-another-stamp", "The value of another branch of history, with the same number.",
		value, fakeValue, stamp)
	move("value-as-mask", "A value read as a mask, which would show it.",
		value, fakeValue, purpose("mask"))
	move("value-as-mask-of-the-secret", "The same, with everything that a mask is bound to.",
		value, fakeValue, func(a *attempt) {
			blob := a.blob
			*a = maskAttempt()
			a.blob = blob
		})
	move("mask-as-value", "A mask read as a value.", mask, fakeMask, purpose("value"))
	move("mask-moved-to-another-secret", "Read as the mask of another secret.",
		mask, fakeMask, subject(otherSecretID))
	move("mask-moved-to-the-next-version", "An old mask put back.", mask, fakeMask, version(2))
	move("mask-moved-to-another-stamp", "The mask of another branch of history.",
		mask, fakeMask, stamp)
	move("mask-renamed", "The secret has another name.",
		mask, fakeMask, func(a *attempt) { a.name = "OTHER_TOKEN" })
	move("mask-of-another-provider", "The secret has another provider.",
		mask, fakeMask, func(a *attempt) { a.provider = "other" })
	move("mask-name-and-provider-shifted", "A letter has moved from the name to the provider.",
		mask, fakeMask, func(a *attempt) { a.name, a.provider = "SOME_TOKE", "Nsome" })
	move("mask-of-an-older-secret", "The secret has another time.",
		mask, fakeMask, func(a *attempt) { a.secretMade-- })
	move("mask-of-a-later-version", "The version has another time.",
		mask, fakeMask, func(a *attempt) { a.made++ })
	move("mask-times-swapped", "The two times are swapped.",
		mask, fakeMask, func(a *attempt) { a.secretMade, a.made = a.made, a.secretMade })
	move("owner-and-secret-swapped", "The two ids of the binding are swapped.",
		value, fakeValue, func(a *attempt) { a.owner, a.subject = a.subject, a.owner })
	move("owner-key-moved-to-another-user", "Another user's owner key.",
		ownerKey, ownerBits, owner(otherUserID))
	move("owner-key-under-another-id", "An owner key read as another one of the same user.",
		ownerKey, ownerBits, subject(otherKeyID))
	move("check-as-owner-key", "A check value read as an owner key.",
		checkAttempt(), nil, purpose("owner-key"))
	move("owner-key-as-instance-key", "An owner key of nobody read as an instance key.",
		attempt{
			purpose: "owner-key", key: rootBits, keyID: rootKeyID(rootBits), subject: instanceID,
		}, instanceBits, purpose("instance-key"))
	move("owner-key-as-check", "An owner key read as a check value.",
		ownerKey, ownerBits, func(a *attempt) {
			blob := a.blob
			*a = checkAttempt()
			a.blob = blob
		})
}

// withOtherKeys has blobs of one owner key that are opened with another one.
func (c *cases) withOtherKeys() {
	a := valueAttempt()
	a.key = otherOwnerBits
	a = a.seal("value-other-key-same-id", fakeValue)
	a.key = ownerBits
	c.add("value-other-key-same-id", "Other bits sealed it, under the id of the key that is tried.",
		tampered, a, nil)
	a = valueAttempt().seal("value-other-key", fakeValue)
	a.key, a.keyID = otherOwnerBits, otherKeyID
	c.add("value-other-key", "The key that is tried has another id.", otherKey, a, nil)
	a = maskAttempt().seal("mask-other-key", fakeMask)
	a.key, a.keyID = otherOwnerBits, otherKeyID
	c.add("mask-other-key", "The key that is tried has another id.", otherKey, a, nil)
	a = maskAttempt().seal("mask", fakeMask)
	a.blob = a.blob[:44]
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
	a = ownerKeyAttempt().seal("owner-key", ownerBits)
	for i, name := range map[int]string{17: "first", 32: "last"} {
		flipped := a
		flipped.blob = bytes.Clone(a.blob)
		flipped.blob[i] ^= 1
		c.add("owner-key-flipped-salt-"+name, "A bit of the salt's "+name+" byte is flipped.",
			tampered, flipped, nil)
	}
	a.blob = a.blob[:60]
	c.add("owner-key-truncated", "Shorter than any blob of a root key.", format, a, nil)
	a = ownerKeyAttempt().seal("owner-key-of-other-bits", otherOwnerBits)
	c.add("owner-key-of-other-bits",
		"Validly wrapped for this id, which does not follow from the key.", otherKey, a, nil)
	a = checkAttempt().seal("check", nil)
	a.blob[0] = 2
	c.add("check-format-02", "An unknown format byte.", format, a, nil)
	a = instanceKeyAttempt().seal("instance-key-of-other-bits", ownerBits)
	c.add("instance-key-of-other-bits",
		"Validly wrapped for this id, which does not follow from the key.", otherKey, a, nil)
	a = instanceKeyAttempt().seal("instance-key-of-31-bytes", instanceBits[:31])
	c.add("instance-key-of-31-bytes", "It wraps something that is not as long as a key.", format, a,
		nil)
	for _, size := range []int{0, 31, 33} {
		name := fmt.Sprintf("owner-key-of-%d-bytes", size)
		a := ownerKeyAttempt().seal(name, bytes.Repeat([]byte{0xee}, size))
		c.add(name, "It wraps something that is not as long as a key.", format, a, nil)
	}
}
