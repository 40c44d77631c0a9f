package api

import (
	"net/http"
	"time"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/wire"
)

const trustPath = "/api/v1/user/trust"

func trustRuleBody(r vault.TrustRule) wire.TrustRule {
	return wire.TrustRule{
		ID: r.ID.String(), Name: r.Name, Issuer: r.Terms.Issuer, Audience: r.Terms.Audience,
		Claims: bodiesOf(r.Terms.Claims, func(c vault.Claim) wire.TrustClaim {
			return wire.TrustClaim(c)
		}),
		Scopes: texts(r.Scopes), ForSeconds: r.Terms.Seconds, Active: r.Active,
		CreatedAt: wire.At(r.CreatedAt), ExpiresAt: wire.AtOrNull(r.ExpiresAt),
		Credentials: bodiesOf(r.Admitted, workloadBody),
	}
}

func workloadBody(a vault.Admission) wire.WorkloadCredential {
	return wire.WorkloadCredential{
		ID: a.ID.String(), Subject: a.Terms.Subject, Scopes: texts(a.Scopes),
		CreatedAt: wire.At(a.CreatedAt), LastUsedAt: wire.AtOrNull(a.LastUsedAt),
		ExpiresAt: wire.At(a.ExpiresAt),
	}
}

func listTrustRules(v *vault.Service) handler {
	return handleGet(func(r *request) (wire.TrustRuleList, error) {
		rules, err := v.ListTrustRules(r.Context(), r.actor)
		return wire.TrustRuleList{Rules: bodiesOf(rules, trustRuleBody), Total: len(rules)}, err
	})
}

func createTrustRule(v *vault.Service) handler {
	return handleJSON(http.StatusCreated, parseTrustRule,
		func(r *request, in vault.TrustRequest) (wire.TrustRule, error) {
			rule, err := v.CreateTrustRule(r.Context(), r.actor, in)
			return trustRuleBody(rule), err
		})
}

func parseTrustRule(in wire.CreateTrustRule) (vault.TrustRequest, error) {
	name, badName := vault.NewKeyName(valueOrZero(in.Name))
	request := vault.TrustRequest{
		Name: name, Issuer: in.Issuer, Audience: in.Audience, Scopes: in.Scopes,
		Claims: bodiesOf(in.Claims, func(c wire.TrustClaim) vault.Claim { return vault.Claim(c) }),
	}
	if in.ForSeconds != nil {
		// What is out of range of a duration is out of range of a rule.
		seconds := min(max(*in.ForSeconds, 1), int64(24*time.Hour/time.Second))
		request.For = time.Duration(seconds) * time.Second
	}
	return request, vault.JoinInvalid(badName, request.Check())
}

func removeTrustRule(v *vault.Service) handler {
	return handleDelete(func(r *request) error {
		id, err := r.pathID("id")
		if err != nil {
			return err
		}
		return v.RemoveTrustRule(r.Context(), r.actor, id)
	})
}
