package seal_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/seal"
)

func newInstanceKey(t *testing.T) seal.InstanceKey {
	t.Helper()
	k, err := seal.NewInstanceKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestAnInstanceKeyOpensAgainUnderItsOwnID(t *testing.T) {
	root, k, other := newRootKey(t), newInstanceKey(t), newInstanceKey(t)
	blob, err := root.WrapInstance(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	again, err := root.UnwrapInstance(t.Context(), k.ID(), blob)
	if err != nil || again.ID() != k.ID() || !again.Equal(k) {
		t.Fatalf("it opens as %s, not as %s: %v", again.ID(), k.ID(), err)
	}
	for _, id := range []uuid.UUID{other.ID(), uuid.Nil} {
		if _, err := root.UnwrapInstance(t.Context(), id, blob); err == nil {
			t.Errorf("it opens as %s", id)
		}
	}
	if _, err := newRootKey(t).UnwrapInstance(t.Context(), k.ID(), blob); !errors.Is(
		err, seal.ErrOtherKey) {
		t.Errorf("another root key: %v", err)
	}
	owner := newOwnerKey(t)
	wrapped, err := root.Wrap(t.Context(), uuid.Nil, owner)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := root.UnwrapInstance(t.Context(), owner.ID(), wrapped); err == nil {
		t.Error("an owner key opens as an instance key")
	}
}

func TestWhatIsDerivedFromAnInstanceKeyIsItsOwn(t *testing.T) {
	k, other := newInstanceKey(t), newInstanceKey(t)
	data := []byte("data")
	macs := map[[32]byte]bool{
		k.LedgerMAC(data): true, k.RowMAC(data): true, k.TicketMAC(data): true,
		other.LedgerMAC(data): true, other.RowMAC(data): true, other.TicketMAC(data): true,
		k.ChallengeMAC(data): true, other.ChallengeMAC(data): true,
	}
	if len(macs) != 8 || !macs[k.LedgerMAC(data)] {
		t.Errorf("there are %d codes, not 8 that repeat", len(macs))
	}
	signature := ed25519.Sign(k.Signer(), data)
	public, _ := k.Signer().Public().(ed25519.PublicKey)
	foreign, _ := other.Signer().Public().(ed25519.PublicKey)
	if !ed25519.Verify(public, data, signature) || bytes.Equal(public, foreign) {
		t.Error("the signing key is not the key's own")
	}
}

// The contexts of a key's codes are used again, also by many at once.
func TestManyComputeCodesAtOnce(t *testing.T) {
	k := newInstanceKey(t)
	hashed := hmac.New(sha256.New, k.Bits()[3])
	var all sync.WaitGroup
	for i := range 4 {
		data := bytes.Repeat([]byte{byte(i)}, 100*i)
		hashed.Reset()
		hashed.Write(data)
		want := [sha256.Size]byte(hashed.Sum(nil))
		all.Go(func() {
			for range 500 {
				if k.RowMAC(data) != want {
					t.Errorf("the code of %d bytes is another", len(data))
				}
			}
		})
	}
	all.Wait()
}

func TestASealingKeyIsOfOneInstanceKeyOneSuiteAndOnePeriod(t *testing.T) {
	k, other := newInstanceKey(t), newInstanceKey(t)
	seen := map[string]bool{}
	for _, of := range []seal.InstanceKey{k, other, k} {
		for suite := range uint16(2) {
			for period := range uint64(2) {
				b, err := of.SealingKey(suite, period)
				if err != nil || len(b) != 32 {
					t.Fatalf("%d bytes: %v", len(b), err)
				}
				seen[string(b)] = true
			}
		}
	}
	if len(seen) != 8 {
		t.Errorf("there are %d, not 8 that repeat", len(seen))
	}
}
