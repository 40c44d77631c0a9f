package api_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

const grantsPath = "/api/v1/user/grants"

// actingFor returns the call as one for another user.
func (c call) actingFor(user string) call { return c.with(wire.HeaderActFor, user) }

// grant lets a platform act for a person.
func (s *site) grant(t *testing.T, by, to person) wire.UserGrant {
	t.Helper()
	body := encode(t, members{"user": to.id})
	return into[wire.UserGrant](t, s.do(t, post(grantsPath, by.key, body)).want(t, 201))
}

// redeemBy is the call that redeems the ticket of a lease.
func redeemBy(t *testing.T, l wire.Lease) call {
	t.Helper()
	body := encode(t, members{"recipient": bundleKey(t).Recipient().String()})
	return post("/api/v1/leases/redeem", plaintext.FromString(l.Ticket), body)
}

func TestAPlatformLeasesForAPersonUntilThePersonWithdrawsIt(t *testing.T) {
	t.Parallel()
	s := start(t)
	mia, backend := s.person(t), s.person(t, allScopes...)
	secret := s.secret(t, mia.key, "HERS", "any-value")
	body := encode(t, members{"secret_ids": []string{secret}, "delivery": "ticket"})
	lease := post(leasesPath, backend.key, body).actingFor(mia.id)
	s.do(t, lease).refused(t, 403)
	grant := s.grant(t, mia, backend)
	made := into[wire.Lease](t, s.do(t, lease).want(t, 201))
	if by := made.RequestedBy.ActingUser; by == nil || by.ID != backend.id ||
		by.GrantID != grant.ID || by.Username != grant.Username {
		t.Errorf("asked for by %+v", by)
	}
	log := into[wire.AuditPage](t, s.do(t, get("/api/v1/user/audit", mia.key)).want(t, 200))
	e := log.Entries[0]
	if *e.UserID != backend.id || e.OnBehalfOf == nil || *e.OnBehalfOf != mia.id ||
		e.Names == nil || *e.Names.Username != grant.Username {
		t.Errorf("recorded: %s", encode(t, e))
	}
	if list := into[wire.SecretList](t, s.do(t, get(secretsPath, backend.key)).want(t, 200)); list.
		Total != 0 {
		t.Error("without the header the platform sees another library than its own")
	}
	s.do(t, del(grantsPath+"/"+grant.ID, mia.key)).want(t, 204)
	s.do(t, lease).refused(t, 403)
	s.do(t, redeemBy(t, made)).refused(t, 401)
}

func TestOnlyWhatARunNeedsIsDoneForAnother(t *testing.T) {
	t.Parallel()
	s := start(t)
	mia, backend := s.person(t), s.person(t, allScopes...)
	s.grant(t, mia, backend)
	for _, op := range operations(t) {
		if op.Public || op.HasForm || op.ID == "redeemTicket" {
			continue
		}
		at := s.target(t, op)
		c := at.call(op, "")
		if op.HasBody {
			c = at.call(op, string(op.Examples[len(op.Examples)-1].Body))
		}
		c.key = backend.key
		got := s.do(t, c.actingFor(mia.id))
		switch op.ID {
		case "listSecrets", "listPresets", "listLeases":
			got.want(t, 200)
		case "getSecret", "getLease", "revokeLease", "createLease":
			got.refused(t, 404) // it is neither mia's nor of the platform
		default:
			got.refused(t, 403)
		}
	}
	redeem := redeemBy(t, s.lease(t, mia.key))
	s.do(t, redeem.actingFor(mia.id)).refused(t, 403)
	s.do(t, redeem).want(t, 200)
}

func TestAHeaderThatNamesNoOneUserIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	mia, backend := s.person(t), s.person(t, allScopes...)
	s.grant(t, mia, backend)
	list := get(secretsPath, backend.key)
	for what, value := range map[string]string{
		"empty": "", "two names": mia.id + "," + mia.id, "braces": "{" + mia.id + "}",
		"an escape": "%6Dia", "capitals": "MIA", "without hyphens": strings.ReplaceAll(mia.id, "-", ""),
		"an accent": "mi\u00e4", "a tab": "mi\ta", "long": strings.Repeat("a", 65), "a URN": "urn:uuid:" + mia.id,
	} {
		got := s.do(t, list.actingFor(value))
		if got.status != 422 {
			t.Errorf("%s: answered %d", what, got.status)
			continue
		}
		got.refused(t, 422, "header.Keysake-Act-For string_pattern_mismatch")
	}
	twice := list.actingFor(mia.id)
	twice.header.Add(wire.HeaderActFor, mia.id)
	s.do(t, twice).refused(t, 422, "header.Keysake-Act-For string_pattern_mismatch")
	s.do(t, list.actingFor(strings.ToUpper(mia.id))).want(t, 200)
	nobody := s.do(t, list.actingFor(uuid.NewString())).want(t, 403)
	sameBut(t, "a user without a grant", nobody, s.do(t, list.actingFor(s.person(t).id)))
	sameBut(t, "a name of nobody", nobody, s.do(t, list.actingFor("nobody")))
	sameBut(t, "the platform itself", nobody, s.do(t, list.actingFor(backend.id)))
}

func TestTwoUsersForWhomOneActsShareNoIdempotencyKey(t *testing.T) {
	t.Parallel()
	s := start(t)
	backend := s.person(t, allScopes...)
	seen := map[string]bool{}
	for range 2 {
		mia := s.person(t)
		s.grant(t, mia, backend)
		secret := s.secret(t, mia.key, "HERS", "any-value")
		body := encode(t, members{"secret_ids": []string{secret}, "delivery": "ticket"})
		lease := post(leasesPath, backend.key, body).actingFor(mia.id).
			with("Idempotency-Key", "the same")
		first := s.do(t, lease).want(t, 201)
		sentAgain(t, first, s.do(t, lease))
		seen[into[wire.Lease](t, first).ID] = true
	}
	if len(seen) != 2 {
		t.Errorf("%d leases", len(seen))
	}
}
