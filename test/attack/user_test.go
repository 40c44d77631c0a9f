package attack_test

import (
	"testing"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/wire"
)

// refusedUser demands that nothing of a person's is used, that doctor names it, and that it stops
// nobody else.
func refusedUser(h *House, p Person, others ...Person) {
	h.t.Helper()
	h.both(func() {
		_, err := h.as(p).WhoAmI(h.t.Context())
		h.refused("who am I", err)
		_, err = h.as(p).ListSecrets(h.t.Context())
		h.refused("a list", err)
		_, err = h.as(p).CreateSecret(h.t.Context(),
			wire.CreateSecret{Name: newName(), Value: value(p, "NEW", "first")})
		h.refused("a create", err)
		h.works(others...)
	})
	h.named()
}

// refusedIdentity demands that nobody is told who mia is, and that doctor names why.
func refusedIdentity(h *House) {
	h.t.Helper()
	h.both(func() {
		_, err := h.as(h.mia).WhoAmI(h.t.Context())
		h.tampering("who am I", err)
		_, err = h.as(h.ada).ListUsers(h.t.Context())
		h.tampering("the list of users", err)
		h.works(h.ada, h.eve)
	})
	h.named()
}

func TestADeletedUsersValuesDoNotLiveAgainWithAnother(t *testing.T) {
	h := newHouse(t)
	yesterday := h.dump()
	apptest.Must(t, h.as(h.ada).DeleteUser(t.Context(), h.mia.id))
	for _, table := range []string{"owner_keys", "secrets", "secret_versions"} {
		for _, r := range yesterday[table] {
			if r["user_id"] == h.mia.id {
				h.putBack(table, r.with("user_id", h.eve.id))
			}
		}
	}
	h.both(func() {
		h.refusedSecret(h.eve, h.one.ID)
		h.refusedSecret(h.eve, h.two.ID)
	})
	h.named()
}
