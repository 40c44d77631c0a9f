package seal_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/seal"
)

// mirror is a key service that flips every bit and adds a word. It shows what a service is given.
type mirror struct{ given []byte }

func (m *mirror) Encrypt(_ context.Context, plain []byte) ([]byte, error) {
	m.given = bytes.Clone(plain)
	return append([]byte("sealed:"), flip(plain)...), nil
}

func (m *mirror) Decrypt(_ context.Context, sealed []byte) ([]byte, error) {
	plain, found := bytes.CutPrefix(sealed, []byte("sealed:"))
	if !found {
		return nil, seal.ErrService
	}
	return flip(plain), nil
}

func flip(b []byte) []byte {
	out := make([]byte, len(b))
	for i := range b {
		out[i] = ^b[i]
	}
	return out
}

var (
	serviceID = uuid.MustParse("00112233-4455-8677-8899-aabbccddeeff")
	owner     = uuid.MustParse("01020304-0506-7708-890a-0b0c0d0e0f10")
)

// What a service is given is SHA-256 of the associated data, and then what is to be sealed. The
// digest is that of 02 ‖ key id ‖ 0e ‖ "root-key-check" ‖ nil UUID ‖ key id.
func TestTheCheckValueOfAServiceHasTheSpecifiedFormat(t *testing.T) {
	m := &mirror{}
	blob, err := seal.NewServiceRootKey(serviceID, m).Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const digest = "c0e8ce48fd465512a811d92957d863206064237f5e3a5b06e9a78bcf7056533f"
	if got := hex.EncodeToString(m.given); got != digest {
		t.Errorf("the service is given %s", got)
	}
	want := append([]byte{2}, serviceID[:]...)
	want = append(append(want, "sealed:"...), flip(m.given)...)
	if !bytes.Equal(blob, want) {
		t.Errorf("the blob is %x", blob)
	}
}

func TestABlobOfAServiceOpensOnlyWithItsOwnBinding(t *testing.T) {
	m := &mirror{}
	root := seal.NewServiceRootKey(serviceID, m)
	key := newOwnerKey(t)
	ownerKey := key.ID()
	blob, err := root.Wrap(t.Context(), owner, key)
	if err != nil {
		t.Fatal(err)
	}
	again, err := root.Unwrap(t.Context(), owner, ownerKey, blob)
	if err != nil || !again.Equal(key) {
		t.Fatalf("it does not open: %v", err)
	}
	if id, err := seal.KeyID(blob); err != nil || id != serviceID {
		t.Errorf("it names %s (%v)", id, err)
	}
	changed := bytes.Clone(blob)
	changed[len(changed)-40] ^= 1 // in the digest: before the key's 32 bytes
	foreign := bytes.Clone(blob)
	foreign[len(foreign)-1] ^= 1 // as one who may ask the service to encrypt can wrap a key
	other := seal.NewServiceRootKey(owner, m)
	unknown := append([]byte{3}, blob[1:]...)
	header := append([]byte{2}, serviceID[:]...)
	for name, c := range map[string]struct {
		root      seal.RootKey
		owner, id uuid.UUID
		blob      []byte
		want      error
	}{
		"another user":      {root, ownerKey, ownerKey, blob, seal.ErrTampered},
		"another key's id":  {root, owner, owner, blob, seal.ErrTampered},
		"a changed digest":  {root, owner, ownerKey, changed, seal.ErrTampered},
		"another key":       {root, owner, ownerKey, foreign, seal.ErrOtherKey},
		"another root key":  {other, owner, ownerKey, blob, seal.ErrOtherKey},
		"too short":         {root, owner, ownerKey, blob[:len(blob)-1], seal.ErrService},
		"cut in its header": {root, owner, ownerKey, blob[:10], seal.ErrFormat},
		"nothing":           {root, owner, ownerKey, nil, seal.ErrFormat},
		"an unknown format": {root, owner, ownerKey, unknown, seal.ErrFormat},
		"only a header":     {root, owner, ownerKey, header, seal.ErrService},
	} {
		if _, err := c.root.Unwrap(t.Context(), c.owner, c.id, c.blob); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if err := root.OpenCheck(t.Context(), blob); err == nil {
		t.Error("an owner key passes for a check value")
	}
}

func TestABlobOfAFileIsNotMistakenForOneOfAService(t *testing.T) {
	file, err := seal.NewRootKey(bytes.Repeat([]byte{7}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	service := seal.NewServiceRootKey(file.ID(), &mirror{})
	local, err := file.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := service.OpenCheck(t.Context(), local); !errors.Is(err, seal.ErrFormat) {
		t.Errorf("the service opens the file's: %v", err)
	}
	remote, err := service.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := file.OpenCheck(t.Context(), remote); !errors.Is(err, seal.ErrFormat) {
		t.Errorf("the file opens the service's: %v", err)
	}
}

type echo struct{}

func (echo) Encrypt(_ context.Context, plain []byte) ([]byte, error)  { return plain, nil }
func (echo) Decrypt(_ context.Context, sealed []byte) ([]byte, error) { return sealed, nil }

func TestAServiceThatEncryptsNothingIsRefused(t *testing.T) {
	root := seal.NewServiceRootKey(serviceID, echo{})
	_, err := root.Wrap(t.Context(), owner, newOwnerKey(t))
	if !errors.Is(err, seal.ErrService) {
		t.Error(err)
	}
}

func FuzzOpeningABlobOfAService(f *testing.F) {
	root := seal.NewServiceRootKey(serviceID, &mirror{})
	key := newOwnerKey(f)
	blob, err := root.Wrap(f.Context(), owner, key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(blob)
	f.Add([]byte{2})
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := root.Unwrap(t.Context(), owner, key.ID(), b)
		if err == nil && !bytes.Equal(b, blob) {
			t.Error("something opens that was not sealed")
		}
	})
}
