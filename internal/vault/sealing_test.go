package vault_test

import (
	"errors"
	"testing"
	"time"

	"github.com/keysake/keysake/bundle"
	"github.com/keysake/keysake/internal/vault"
)

// sealTo seals a request to a key as a client does.
func sealTo(t *testing.T, k vault.SealingKey) (r bundle.Request, sealed []byte) {
	t.Helper()
	r = bundle.Request{Server: k.Server, Method: "POST", Target: "/a"}
	sealed, err := bundle.SealRequest(k.Recipient, r, []byte("body"))
	if err != nil {
		t.Fatal(err)
	}
	return bundle.Request{Method: "POST", Target: "/a"}, sealed
}

func TestASealingKeyOpensForAPeriodLongerThanItIsTheCurrentOne(t *testing.T) {
	p := start(t)
	keys := must(p.SealingKeys())
	if len(keys) != len(bundle.Suites()) || !keys[0].Recipient.Suite().PostQuantum() {
		t.Fatalf("%d keys", len(keys))
	}
	if again := must(p.SealingKeys()); again[0].ID != keys[0].ID {
		t.Error("it is another one at once")
	}
	end := time.Date(2026, 4, 16, 0, 0, 0, 0, time.UTC)
	for _, k := range keys {
		r, sealed := sealTo(t, k)
		got, err := p.Unseal(k.ID, r, sealed)
		if err != nil || string(got.Body) != "body" || !k.ExpiresAt.Equal(end) ||
			!got.Until.Equal(end.Add(24*time.Hour)) || len(got.Encapsulated) < 32 {
			t.Errorf("%s: until %s: %v", k.Recipient.Suite(), got.Until, err)
		}
	}
	r, sealed := sealTo(t, keys[0])
	p.clock.forward(24 * time.Hour)
	next := must(p.SealingKeys())
	if next[0].ID == keys[0].ID {
		t.Error("it is still the current one")
	}
	if _, err := p.Unseal(keys[0].ID, r, sealed); err != nil {
		t.Errorf("it opens nothing a day later: %v", err)
	}
	if _, err := p.Unseal(next[0].ID, r, sealed); !errors.Is(err, bundle.ErrOpen) {
		t.Errorf("under the id of the next one: %v", err)
	}
	p.clock.forward(24 * time.Hour)
	if _, err := p.Unseal(keys[0].ID, r, sealed); !errors.Is(err, vault.ErrSealingKey) {
		t.Errorf("two days later: %v", err)
	}
}

func TestEveryServerOfAnInstanceHasTheSameSealingKeys(t *testing.T) {
	p := start(t)
	other := open(t, t.TempDir(), 10, 1)
	t.Cleanup(func() { other.must(other.db.Close()) })
	other.initialize(2)
	again, _ := p.newVault()
	here, there := must(p.SealingKeys()), must(again.SealingKeys())
	if here[0].ID != there[0].ID {
		t.Error("another server has other keys")
	}
	if elsewhere := must(other.SealingKeys()); elsewhere[0].ID == here[0].ID {
		t.Error("another instance has the same keys")
	}
}
