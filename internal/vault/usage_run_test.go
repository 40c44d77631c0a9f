package vault_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

func TestASecretKnowsTheRunsThatGotIt(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	ann, bob := p.user("ann"), p.user("bob")
	secret := p.presetSecret(ann, "openai", "OPENAI_API_KEY", fake("x"))
	other := p.presetSecret(ann, "github", "GITHUB_TOKEN", fake("y"))
	given := must(p.CreateLease(ctx, ann, bundleOf(secret.ID, other.ID)))
	p.must(second(p.CreateLease(ctx, ann, bundleOf(other.ID))))
	revoked, live := p.brokered(ann, secret), p.brokered(ann, secret)
	request := vault.BrokeredRequest{
		User: ann.User, Lease: live.ID, Secret: secret.ID, At: p.clock.now(), Method: "GET",
		Status: 200, Counts: true,
	}
	refused := request
	refused.Counts, refused.Refused = false, "path"
	p.must(second(p.RecordBrokered(ctx, []vault.BrokeredRequest{request, request, refused})))
	_, _, err := p.RevokeLease(ctx, ann, revoked.ID)
	p.must(err)
	type shown struct {
		Lease    uuid.UUID
		State    vault.LeaseState
		Live     bool
		Requests int64
	}
	assert := func(what string, want ...shown) {
		t.Helper()
		runs, more, err := p.SecretRuns(ctx, ann, secret.ID)
		p.must(err)
		var got []shown
		for _, r := range runs {
			got = append(got, shown{r.ID, r.State, r.Live, r.Requests})
		}
		if diff := cmp.Diff(want, got); diff != "" || more {
			t.Errorf("%s: more: %v %s", what, more, diff)
		}
	}
	assert("now", shown{live.ID, vault.LeaseActive, true, 2},
		shown{revoked.ID, vault.LeaseRevoked, false, 0},
		shown{given.ID, vault.LeaseRedeemed, true, 0})
	p.clock.forward(2 * time.Hour)
	assert("later", shown{live.ID, vault.LeaseExpired, false, 2},
		shown{revoked.ID, vault.LeaseRevoked, false, 0},
		shown{given.ID, vault.LeaseExpired, false, 0})
	for range 20 {
		p.must(second(p.CreateLease(ctx, ann, bundleOf(secret.ID))))
	}
	runs, more, err := p.SecretRuns(ctx, ann, secret.ID)
	if len(runs) != 20 || !more || err != nil {
		t.Errorf("%d runs, more: %v (%v)", len(runs), more, err)
	}
	_, _, err = p.SecretRuns(ctx, bob, secret.ID)
	assertKind(t, "another user's", err, vault.NotFound)
}
