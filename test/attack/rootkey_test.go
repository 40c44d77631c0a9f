package attack_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/wire"
)

func TestAHouseThatNobodyAttackedIsWell(t *testing.T) {
	h := newHouse(t)
	h.both(func() {
		h.works(h.ada, h.mia, h.eve)
		h.is(h.mia, h.one, "second")
		if found := failed(h.doctor("")); len(found) > 0 {
			t.Errorf("doctor: %q", found)
		}
	})
}

// enrol adds a root key of the attacker's, an owner key of mia that it wraps, and makes her row
// name that.
func enrol(h *House, url func(path string) string, state string) seal.OwnerKey {
	h.t.Helper()
	path, root := h.rootKeyFile()
	key := h.newOwnerKey()
	if state == "primary" {
		own := h.rows("root_keys", "1")[0]
		h.change("root_keys", own, own.ifAny("state", "replaced", "replaced_at", int64(1)))
	}
	h.insert("root_keys", h.rootKeyRow(root, url(path), state))
	h.insert("owner_keys", h.ownerKeyRow(h.mia, root, key))
	h.pointTo(h.mia, key.ID())
	return key
}

func fileURL(path string) string { return "file:" + path }

// wantNothingSealed uses everything that seals, with an API key that the attacker added and with
// hers, and demands that the attacker's key seals nothing of it.
func wantNothingSealed(h *House, key seal.OwnerKey) {
	h.t.Helper()
	inserted, token := h.forgeKey(h.mia)
	h.insert("api_keys", inserted)
	use := func() {
		for _, p := range []Person{{key: token}, h.mia} {
			c, ctx := h.as(p), h.t.Context()
			_, _ = c.RollbackSecret(ctx, h.one.ID, wire.RollbackSecret{Version: 1})
			_, _ = c.UpdateSecret(
				ctx, h.two.ID, wire.UpdateSecret{Value: value(h.mia, "TWO", "next")})
			_, _ = c.CreateSecret(
				ctx, wire.CreateSecret{Name: newName(), Value: value(h.mia, "NEW", "first")})
		}
		h.notSealedBy(key.ID())
	}
	use()
	if h.start() == nil {
		use()
	}
}

func newName() string { return "N" + uuid.NewString()[:8] }

func TestAForeignRootKeyInARowSealsNoTrueValue(t *testing.T) {
	h := newHouse(t)
	wantNothingSealed(h, enrol(h, fileURL, "replaced"))
	h.named()
}

func TestAForeignRootKeySealsNothingWhereTheOperatorNamesTheTrueOne(t *testing.T) {
	h := newHouse(t)
	h.cfg.RootKeys = []string{"file:" + h.cfg.Data + ".root-key"}
	h.restart()
	wantNothingSealed(h, enrol(h, fileURL, "replaced"))
	h.named()
}

func TestAForeignRootKeyThatIsThePrimarySealsNoTrueValue(t *testing.T) {
	h := newHouse(t)
	wantNothingSealed(h, enrol(h, fileURL, "primary"))
	h.named()
}

func TestAForeignRootKeyWrapsNoNewUsersOwnerKey(t *testing.T) {
	h := newHouse(t)
	path, root := h.rootKeyFile()
	own := h.rows("root_keys", "1")[0]
	h.change("root_keys", own, own.ifAny("state", "replaced", "replaced_at", int64(1)))
	h.insert("root_keys", h.rootKeyRow(root, fileURL(path), "primary"))
	use := func() {
		_, _ = h.as(h.ada).CreateUser(t.Context(), wire.CreateUser{Username: newName()})
		if n := len(h.rows("owner_keys", "root_key_id = ?", root.ID().String())); n > 0 {
			t.Errorf("%d owner keys are wrapped by the attacker's root key", n)
		}
	}
	use()
	if h.start() == nil {
		use()
	}
}
