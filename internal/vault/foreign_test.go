package vault_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
)

// An admin has no more to do with other users' libraries than anybody.
func TestAnotherUsersIdIsNotFoundByAnyUseCase(t *testing.T) {
	p := start(t)
	ann, ben := p.user("ann"), p.user("ben")
	secret := p.secret(ann, "MINE", fake("ann's"))
	lease := p.lease(ann, secret)
	key, token, err := p.CreateAPIKey(t.Context(), ann, vault.APIKeyRequest{Name: keyName("ann's")})
	p.must(err)
	tries := p.useCases()
	before := p.entries()
	for _, stranger := range []vault.Actor{with(ben, policy.AllScopes()...), p.admin} {
		for action, owned := range map[policy.Action]uuid.UUID{
			policy.SecretGet: secret.ID, policy.SecretUpdate: secret.ID,
			policy.SecretDelete: secret.ID,
			policy.APIKeyRevoke: key.ID, policy.LeaseCreate: secret.ID,
			policy.LeaseGet: lease.ID, policy.LeaseRevoke: lease.ID, policy.UsageGet: secret.ID,
			policy.LeaseRequests: lease.ID,
		} {
			foreign := tries[action](stranger, owned)
			assertKind(t, string(action), foreign, vault.NotFound)
			// What is answered for it is what is answered for an id that never was, or that is of
			// something else.
			for _, nothing := range []uuid.UUID{
				uuid.Must(uuid.NewV7()), ann.User, ben.User, uuid.Nil,
			} {
				if absent := tries[action](stranger, nothing); absent == nil ||
					absent.Error() != foreign.Error() {
					t.Errorf("%s: an absent id is %v, a foreign one %v", action, absent, foreign)
				}
			}
		}
	}
	if n := p.entries() - before; n != 0 {
		t.Errorf("%d entries were recorded", n)
	}
	p.assertOpens(ann, secret.ID, fake("ann's"))
	p.authenticated(token)
}

func TestNoListHasAnythingOfAnotherUser(t *testing.T) {
	p := start(t)
	ann, ben := p.user("ann"), p.user("ben")
	p.secret(ann, "OPENAI_API_KEY", fake("ann's"))
	p.secret(ben, "BENS", fake("ben's"))
	if diff := cmp.Diff([]string{"BENS"}, p.names(ben)); diff != "" {
		t.Errorf("secrets:\n%s", diff)
	}
	anns := p.lease(ann, p.secret(ann, "OTHER", fake("ann's")))
	for _, id := range []uuid.UUID{anns.ID, uuid.Must(uuid.NewV7())} {
		_, _, err := p.ListLeases(t.Context(), ben, vault.LeaseFilter{Before: id})
		assertKind(t, "leases older than one that is not ben's", err, vault.Invalid)
	}
	leases, next, err := p.ListLeases(t.Context(), ben, vault.LeaseFilter{})
	if err != nil || len(leases) > 0 || next != uuid.Nil {
		t.Errorf("leases: %v (%v)", leases, err)
	}
	keys, err := p.ListAPIKeys(t.Context(), ben)
	if err != nil || len(keys) != 1 || keys[0].ID != ben.Credential.ID || keys[0].User != ben.User {
		t.Errorf("API keys: %v (%v)", keys, err)
	}
	presets, err := p.ListPresets(t.Context(), ben)
	if err != nil ||
		slices.ContainsFunc(presets, func(preset vault.Preset) bool { return preset.Configured }) {
		t.Errorf("presets: %v (%v)", presets, err)
	}
	self, err := p.WhoAmI(t.Context(), ben)
	if err != nil || self.ID != ben.User || self.Username != "ben" || self.Secrets != 1 {
		t.Errorf("who I am: %+v (%v)", self, err)
	}
}

func TestAnUnknownUserIsNotFoundByTheAdmin(t *testing.T) {
	p := start(t)
	gone := p.user("gone")
	p.must(p.Service.DeleteUser(t.Context(), p.admin, gone.User))
	for _, id := range []uuid.UUID{uuid.New(), uuid.Nil, gone.User, p.admin.Credential.ID} {
		for _, action := range []policy.Action{
			policy.APIKeyCreateFor, policy.UserDelete, policy.UserDisable, policy.UserEnable,
			policy.SignInLinkCreate, policy.IdentityLink, policy.IdentityUnlink,
		} {
			assertKind(t, string(action), p.useCases()[action](p.admin, id), vault.NotFound)
		}
	}
}
