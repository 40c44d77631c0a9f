package storetest

import (
	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
)

// apiKeyForms are keys with each column in each state that it has.
func apiKeyForms() map[string]func(*vault.APIKey) {
	forms := map[string]func(*vault.APIKey){
		"plain":             nil,
		"without a name":    func(k *vault.APIKey) { k.Name = "" },
		"one scope":         func(k *vault.APIKey) { k.Scopes = []policy.Scope{policy.Admin} },
		"all scopes":        func(k *vault.APIKey) { k.Scopes = policy.AllScopes() },
		"without a scope":   func(k *vault.APIKey) { k.Scopes = nil },
		"made by another":   func(k *vault.APIKey) { k.Parent = newID() },
		"may revoke itself": func(k *vault.APIKey) { k.SelfRevoke = true },
		"suspended":         func(k *vault.APIKey) { k.Suspended = true },
		"a session":         func(k *vault.APIKey) { k.Kind = audit.CredentialSession },
		"a sign-in link":    func(k *vault.APIKey) { k.Kind = audit.CredentialSignInLink },
		"a grant":           func(k *vault.APIKey) { k.Kind, k.TermsJSON = "grant", `{"a":1}` },
		"a rule":            func(k *vault.APIKey) { k.Kind, k.TermsJSON = "trust", `{"a":1}` },
		"a credential": func(k *vault.APIKey) {
			id := newID()
			k.Kind, k.TermsJSON, k.Presented = "workload", `{"a":1}`, id[:]
		},
		"expires and was revoked": func(k *vault.APIKey) {
			k.ExpiresAt, k.RevokedAt = moment(70), moment(71)
		},
	}
	for _, odd := range oddTexts() {
		forms["named "+odd] = func(k *vault.APIKey) { k.Name = odd }
	}
	return forms
}
