package attack_test

import (
	"testing"
	"time"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

func TestAnAPIKeyRowThatWasInsertedOpensNothing(t *testing.T) {
	h := newHouse(t)
	inserted, token := h.forgeKey(h.mia)
	h.insert("api_keys", inserted)
	h.both(func() {
		h.refusedKey(token)
		h.works(h.ada, h.mia, h.eve)
	})
	h.named()
}

func TestAnAPIKeyRowThatWasInsertedBelowNoOtherIsNoAdmin(t *testing.T) {
	h := newHouse(t)
	inserted, token := h.forgeKey(h.ada, "parent_id", "")
	h.insert("api_keys", inserted)
	h.both(func() { h.refusedKey(token) })
	h.named()
}

func TestAnAPIKeyRowThatWasInsertedIsInNoList(t *testing.T) {
	h := newHouse(t)
	inserted, _ := h.forgeKey(h.mia)
	h.insert("api_keys", inserted)
	h.both(func() {
		_, err := h.as(h.mia).ListAPIKeys(t.Context())
		h.tampering("the list of API keys", err)
	})
}

func TestAnAPIKeyRowThatWasCopiedUnderANewIDOpensNothing(t *testing.T) {
	h := newHouse(t)
	was := h.byID("api_keys", h.mia.keyID)
	h.change("api_keys", was, was.with("id", newID()))
	h.both(func() { h.refusedKey(h.mia.key) })
	h.named()
}

func TestAnAPIKeyThatWasMovedToAnotherUserOpensNothing(t *testing.T) {
	h := newHouse(t)
	h.set("api_keys", h.eve.keyID, "user_id", h.mia.id)
	h.both(func() { h.refusedKey(h.eve.key) })
	h.named()
}

func TestAnAPIKeyRowOfAnotherUserOpensNothingWithATokenOfTheAttackers(t *testing.T) {
	h := newHouse(t)
	eves := h.byID("api_keys", h.eve.keyID)
	h.remove("api_keys", eves)
	h.set("api_keys", h.mia.keyID, "token_hash", eves["token_hash"])
	h.both(func() { h.refusedKey(h.eve.key) })
	h.named()
}

func TestTheTokensOfTwoAPIKeysCannotBeSwapped(t *testing.T) {
	h := newHouse(t)
	h.swap("api_keys", h.eve.keyID, h.mia.keyID, "token_hash", "masked")
	h.both(func() {
		h.refusedKey(h.eve.key)
		h.refusedKey(h.mia.key)
	})
	h.named()
}

func TestTheTokensOfTwoAPIKeysOfOneUserCannotBeSwapped(t *testing.T) {
	h := newHouse(t)
	small := h.newKey(h.mia, "small", "secrets:read")
	h.swap("api_keys", small.keyID, h.mia.keyID, "token_hash")
	h.both(func() {
		h.refusedKey(small.key)
		h.refusedKey(h.mia.key)
	})
	h.named()
}

func TestScopesThatWereAddedAllowNothing(t *testing.T) {
	h := newHouse(t)
	h.set("api_keys", h.eve.keyID, "scopes", "admin secrets:read secrets:write keys:write")
	h.both(func() { h.refusedKey(h.eve.key) })
	h.named()
}

func TestTheScopesOfTwoAPIKeysCannotBeSwapped(t *testing.T) {
	h := newHouse(t)
	small := h.newKey(h.eve, "small", "secrets:read")
	h.swap("api_keys", small.keyID, h.eve.keyID, "scopes")
	h.both(func() { h.refusedKey(small.key) })
	h.named()
}

func TestTheNamesOfTwoAPIKeysCannotBeSwapped(t *testing.T) {
	h := newHouse(t)
	first := h.newKey(h.mia, "laptop", "secrets:read")
	leaked := h.newKey(h.mia, "leaked", "secrets:read")
	h.swap("api_keys", first.keyID, leaked.keyID, "name", "masked")
	h.both(func() {
		_, err := h.as(h.mia).ListAPIKeys(t.Context())
		h.tampering("the list of API keys", err)
		h.refusedKey(leaked.key)
	})
	h.named()
}

func TestTheIDsOfTwoAPIKeysCannotBeSwappedSoThatTheWrongOneIsRevoked(t *testing.T) {
	h := newHouse(t)
	good := h.newKey(h.mia, "laptop", "secrets:read")
	leaked := h.newKey(h.mia, "leaked", "secrets:read")
	h.swap("api_keys", good.keyID, leaked.keyID)
	if err := h.as(h.mia).RevokeAPIKey(t.Context(), leaked.keyID); err != nil {
		h.tampering("the revocation", err)
	}
	h.both(func() { h.refusedKey(leaked.key) })
}

func TestSelfRevokeThatWasAddedAllowsNothing(t *testing.T) {
	h := newHouse(t)
	h.set("api_keys", h.eve.keyID, "self_revoke", int64(1))
	h.refused("the revocation of itself", h.as(h.eve).RevokeSelf(t.Context()))
	h.restart()
	h.refused("the revocation of itself", h.as(h.eve).RevokeSelf(t.Context()))
	h.named()
}

// revoked returns a key of mia that she revoked, and its row of before.
func revoked(h *House) (Person, row) {
	h.t.Helper()
	leaked := h.newKey(h.mia, "leaked", "secrets:read", "keys:write")
	was := h.byID("api_keys", leaked.keyID)
	apptest.Must(h.t, h.as(h.mia).RevokeAPIKey(h.t.Context(), leaked.keyID))
	h.refusedKey(leaked.key)
	return leaked, was
}

func TestARevokedAPIKeyDoesNotLiveAgainWhenItsRowIsPutBack(t *testing.T) {
	h := newHouse(t)
	leaked, was := revoked(h)
	h.putBack("api_keys", was)
	h.both(func() { h.refusedKey(leaked.key) })
	h.named()
}

func TestARevokedAPIKeyDoesNotLiveAgainUnderANewID(t *testing.T) {
	h := newHouse(t)
	leaked, was := revoked(h)
	h.remove("api_keys", was)
	h.insert("api_keys", was.with("id", newID(), "parent_id", ""))
	h.both(func() { h.refusedKey(leaked.key) })
	h.named()
}

func TestAnAPIKeyThatWasSwappedWithARevokedOneDoesNotReviveIt(t *testing.T) {
	h := newHouse(t)
	good := h.newKey(h.mia, "laptop", "secrets:read", "keys:write")
	goods := h.byID("api_keys", good.keyID)
	leaked, was := revoked(h)
	h.remove("api_keys", was)
	h.change("api_keys", goods, was.with("id", goods["id"]))
	h.both(func() { h.refusedKey(leaked.key) })
	h.named()
}

func TestAnExpiryThatWasMovedExtendsNothing(t *testing.T) {
	h := newHouse(t)
	scopes := []string{"secrets:read"}
	soon := wire.Timestamp{Time: time.Now().Add(400 * time.Millisecond)}
	made, err := h.as(h.mia).CreateAPIKey(
		t.Context(), wire.CreateAPIKey{AllowedScopes: &scopes, ExpiresAt: &soon})
	apptest.Must(t, err)
	key := plaintext.FromString(made.Key)
	time.Sleep(time.Until(soon.Time))
	h.refusedKey(key)
	h.set("api_keys", made.ID, "expires_at", time.Now().Add(time.Hour).UnixMicro())
	h.both(func() { h.refusedKey(key) })
	h.set("api_keys", made.ID, "expires_at", nil)
	h.both(func() { h.refusedKey(key) })
	h.named()
}

// line returns a key of mia, and one that it made.
func line(h *House) (parent, child Person) {
	h.t.Helper()
	parent = h.newKey(h.mia, "parent", "secrets:read", "keys:write")
	child = h.newKey(parent, "child", "secrets:read")
	return parent, child
}

func TestAnAPIKeyThatWasHiddenWhileItsParentWasRevokedGainsNothing(t *testing.T) {
	h := newHouse(t)
	parent, child := line(h)
	was := h.byID("api_keys", child.keyID)
	h.remove("api_keys", was)
	if err := h.as(h.mia).RevokeAPIKey(t.Context(), parent.keyID); err != nil {
		h.tampering("the revocation", err)
	}
	h.putBack("api_keys", was)
	h.both(func() { h.refusedKey(child.key) })
	h.putBack("api_keys", was.with("parent_id", h.mia.keyID))
	h.both(func() { h.refusedKey(child.key) })
	h.named()
}

func TestAnAPIKeyThatWasHiddenWithItsParentGainsNothing(t *testing.T) {
	h := newHouse(t)
	parent, child := line(h)
	parents, childs := h.byID("api_keys", parent.keyID), h.byID("api_keys", child.keyID)
	apptest.Must(t, h.as(h.mia).RevokeAPIKey(t.Context(), parent.keyID))
	h.putBack("api_keys", parents)
	h.putBack("api_keys", childs)
	h.both(func() {
		h.refusedKey(parent.key)
		h.refusedKey(child.key)
	})
}

func TestAnAPIKeyThatWasTakenOutOfItsLineIsNone(t *testing.T) {
	h := newHouse(t)
	parent, child := line(h)
	h.set("api_keys", child.keyID, "parent_id", h.mia.keyID)
	if err := h.as(h.mia).RevokeAPIKey(t.Context(), parent.keyID); err != nil {
		h.tampering("the revocation", err)
	}
	h.both(func() { h.refusedKey(child.key) })
	h.named()
}

func TestTheParentsOfTwoAPIKeysCannotBeSwapped(t *testing.T) {
	h := newHouse(t)
	parent, child := line(h)
	other := h.newKey(h.mia, "other", "secrets:read")
	h.swap("api_keys", child.keyID, other.keyID, "parent_id")
	if err := h.as(h.mia).RevokeAPIKey(t.Context(), parent.keyID); err != nil {
		h.tampering("the revocation", err)
	}
	h.both(func() { h.refusedKey(child.key) })
	h.named()
}

func TestAnAPIKeyWhoseParentIsAnotherUsersIsNone(t *testing.T) {
	h := newHouse(t)
	parent, child := line(h)
	h.set("api_keys", child.keyID, "parent_id", h.eve.keyID)
	if err := h.as(h.mia).RevokeAPIKey(t.Context(), parent.keyID); err != nil {
		h.tampering("the revocation", err)
	}
	h.both(func() { h.refusedKey(child.key) })
	h.named()
}

func TestAnAPIKeyWhoseParentIsMissingOpensNothing(t *testing.T) {
	h := newHouse(t)
	parent, child := line(h)
	h.drop("api_keys", "id = ?", parent.keyID)
	h.both(func() { h.refusedKey(child.key) })
	h.named()
}

func TestAnAPIKeyThatWasRemovedIsMissedInTheList(t *testing.T) {
	h := newHouse(t)
	leaked := h.newKey(h.mia, "leaked", "secrets:read")
	was := h.byID("api_keys", leaked.keyID)
	h.remove("api_keys", was)
	h.both(func() {
		_, err := h.as(h.mia).ListAPIKeys(t.Context())
		h.tampering("the list of API keys", err)
	})
	h.tampering("the revocation of what is hidden",
		h.as(h.mia).RevokeAPIKey(t.Context(), leaked.keyID))
	h.named()
}

func TestTheTimeAtWhichAnAPIKeyWasMadeCannotBeChanged(t *testing.T) {
	h := newHouse(t)
	h.set("api_keys", h.eve.keyID, "created_at", int64(1))
	h.both(func() { h.refusedKey(h.eve.key) })
	h.named()
}

func TestAnAPIKeyEndsWithItsMakerEvenIfThatIsPutBack(t *testing.T) {
	h := newHouse(t)
	scopes := append([]string{"admin"}, everyScope...)
	maker := h.newKey(h.ada, "maker", scopes...)
	h.works(maker)
	in := wireKey("from-maker", everyScope)
	made, err := h.as(maker).CreateAPIKeyFor(t.Context(), h.mia.id, in)
	apptest.Must(t, err)
	child := tokenOf(made)
	was := h.byID("api_keys", maker.keyID)
	apptest.Must(t, h.as(h.ada).RevokeAPIKey(t.Context(), maker.keyID))
	h.refusedKey(child)
	h.putBack("api_keys", was)
	h.both(func() {
		h.refusedKey(child)
		h.refusedKey(maker.key)
	})
	h.named()
}

func TestACircleOfParentsOpensNothingAndEnds(t *testing.T) {
	h := newHouse(t)
	parent, child := line(h)
	h.set("api_keys", parent.keyID, "parent_id", child.keyID)
	h.both(func() {
		h.refusedKey(parent.key)
		h.refusedKey(child.key)
	})
	h.set("api_keys", h.mia.keyID, "parent_id", h.mia.keyID)
	h.both(func() { h.refusedKey(h.mia.key) })
	h.works(h.eve)
	h.named()
}

func TestAKeyThatIsReplacedLeavesNoInsertedOneBehind(t *testing.T) {
	h := newHouse(t)
	parent, child := line(h)
	inserted, token := h.forgeKey(h.mia, "parent_id", parent.keyID)
	h.insert("api_keys", inserted)
	if err := h.as(h.mia).RevokeAPIKeyOnly(t.Context(), parent.keyID); err != nil {
		h.tampering("the revocation", err)
	} else if _, err := h.ClientWith(t, child.key).WhoAmI(t.Context()); err != nil {
		t.Errorf("the child that was to be kept: %v", err)
	}
	h.both(func() { h.refusedKey(token) })
	h.named()
}
