package web

import (
	"cmp"
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/vault"
)

// A logged is an entry of the audit log as a page shows it.
type logged struct {
	audit.Linked

	By string
}

// logged returns entries of the caller's log, each with who did it. Rules of trust are named, and
// who acted for the caller.
func (s *site) logged(ctx context.Context, who vault.Actor, page vault.AuditPage) []logged {
	entries := page.Entries
	var rules map[uuid.UUID]string
	if slices.ContainsFunc(entries, func(e audit.Linked) bool { return isOfRule(e.Credential) }) {
		rules, _ = s.Vault.RuleNames(ctx, who) // without names there are ids
	}
	all := make([]logged, len(entries))
	for i, e := range entries {
		all[i] = logged{e, whoText(e.Credential, rules)}
		if e.OnBehalfOf != uuid.Nil {
			other := cmp.Or(page.Names[e.User], "the user "+e.User.String())
			all[i].By = other + " for you, with " + all[i].By
		}
	}
	return all
}

func isOfRule(c audit.Credential) bool {
	return c.Kind == audit.CredentialTrust || c.Kind == audit.CredentialWorkload
}

// whoText says by what credential something was done. A kind that it does not know is named as it
// is.
func whoText(c audit.Credential, rules map[uuid.UUID]string) string {
	name, found := rules[c.ID]
	switch c.Kind {
	case audit.CredentialAPIKey:
		return "an API key"
	case audit.CredentialSession:
		return "a session of these pages"
	case audit.CredentialSignInLink:
		return "a sign-in link"
	case audit.CredentialIdentity:
		return "a sign-in at the provider"
	case audit.CredentialPasskey:
		return "a passkey"
	case audit.CredentialGrant:
		return "a grant"
	case audit.CredentialDevice:
		return "a program that was let in"
	case audit.CredentialTicket:
		return "a ticket"
	case audit.CredentialPlaceholder:
		return "a program at the broker"
	case audit.CredentialSchedule:
		return "the server, on the schedule that you set"
	case audit.CredentialTrust:
		if !found {
			name = c.ID.String()
		}
		return "the rule of trust " + name
	case audit.CredentialWorkload:
		if !found {
			return "a program that a rule of trust let in, with the credential " + c.ID.String()
		}
		return "a program that the rule of trust " + name + " let in"
	case "":
		return "the operator"
	}
	return "a credential of the kind " + string(c.Kind)
}
