package attack_test

import (
	"github.com/keysake/keysake/internal/apptest"
)

// revoked returns a key of mia that she revoked, and its row of before.
func revoked(h *House) (Person, row) {
	h.t.Helper()
	leaked := h.newKey(h.mia, "leaked", "secrets:read", "keys:write")
	was := h.byID("api_keys", leaked.keyID)
	apptest.Must(h.t, h.as(h.mia).RevokeAPIKey(h.t.Context(), leaked.keyID))
	h.refusedKey(leaked.key)
	return leaked, was
}

// line returns a key of mia, and one that it made.
func line(h *House) (parent, child Person) {
	h.t.Helper()
	parent = h.newKey(h.mia, "parent", "secrets:read", "keys:write")
	child = h.newKey(parent, "child", "secrets:read")
	return parent, child
}
