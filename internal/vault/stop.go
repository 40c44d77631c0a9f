package vault

import (
	"context"
	"slices"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
)

// A Stop says what an emergency stop of a user's own library ends.
type Stop struct {
	Leases   bool
	Sessions bool // other than the caller's, sign-in links, and logins that were let in
	Rules    bool // of trust, and the credentials that they gave
	Passkeys bool
	Grants   bool // to others, and the leases that these asked for
	Keys     bool
}

// Stopped says how much an emergency stop ended, and what it could not.
type Stopped struct {
	Leases, Sessions, Rules, Passkeys, Grants, Keys int

	Waiting  int  // sign-in links and logins of programs that nobody had used yet
	Self     bool // the caller's session ended with a key above it
	Kept     int  // credentials that may do more than the caller, or are above one that must stay
	NoLeases bool // the caller may not end leases, but for those of a grant
	NoKeys   bool // the caller may not end anything else
	// Damaged are rows that are not what was stored. They let nobody in, and what the ledger listed
	// in their place does not any more either.
	Damaged int
}

// Stop ends what the caller chooses, in one transaction: nothing that is made at the same time
// slips through, and an error means that nothing was ended. A row that was changed, or cannot be
// read, keeps nothing else alive. What needs a scope that the caller lacks is left, and said.
// Denied: that is all of it.
func (s *Service) Stop(ctx context.Context, who Actor, what Stop) (done Stopped, err error) {
	in := inOwnLibrary(who, policy.LibraryStop)
	err = s.update(ctx, in, func(c *change) error {
		done = Stopped{}
		listed := c.ledger.Leases.Len() + c.ledger.APIKeys.Len()
		own, err := c.callersKey(ctx, who)
		if err != nil {
			return err
		}
		allowed := what.allowed(who, &done)
		if allowed == (Stop{}) {
			return denied("The sign-in lacks the scopes for this")
		}
		if allowed.Leases {
			if err := c.stopLeases(ctx, &done); err != nil {
				return err
			}
		}
		if allowed != (Stop{Leases: allowed.Leases}) {
			if err := c.stopKeys(ctx, in, allowed, own, &done); err != nil {
				return err
			}
		}
		if done.Damaged > 0 {
			c.core.found.report(tampered("library of user "+c.owner.String(), errNotListed))
		}
		if len(c.entries) == 0 && done.Leases == 0 &&
			listed == c.ledger.Leases.Len()+c.ledger.APIKeys.Len() {
			return errUnchanged
		}
		return nil
	})
	if err != nil {
		return Stopped{}, err
	}
	return done, nil
}

// allowed returns what the caller's scopes allow of what was chosen.
func (what Stop) allowed(who Actor, done *Stopped) Stop {
	if what.Leases && !policy.Allow(who.Scopes, policy.LeaseRevoke) {
		what.Leases, done.NoLeases = false, true
	}
	others := what != (Stop{Leases: what.Leases})
	if others && !policy.Allow(who.Scopes, policy.APIKeyRevoke) {
		what, done.NoKeys = Stop{Leases: what.Leases}, true
	}
	return what
}

// stopLeases ends every lease of the user. What counts is that the ledger lists none any more,
// whatever the rows say.
func (c *change) stopLeases(ctx context.Context, done *Stopped) error {
	rows, unreadable, err := c.rows.ReadableOpenLeases(ctx, c.owner)
	if err != nil {
		return err
	}
	listed := c.ledger.Leases
	for _, l := range rows {
		switch {
		case listed.Remove(c.leaseEntry(l)) && l.ExpiresAt.After(c.at):
			c.recordLease(l)
		case c.checkLease(l) != nil:
			unreadable++
		}
	}
	done.Damaged += max(unreadable, listed.Len())
	c.ended = c.ended || c.ledger.Leases.Len() > 0
	c.ledger.Leases.Clear()
	done.Leases, err = c.tx.RevokeLiveLeases(ctx, c.owner, c.at)
	return err
}

// stopKeys ends credentials of the user. An entry of the ledger that no row is of could be of any:
// it goes, so that a row that was hidden does not work when it is put back. It may also be what
// remembers that a token was exchanged, so that rules, too, let nobody in any more.
func (c *change) stopKeys(
	ctx context.Context, in intent, what Stop, own line, done *Stopped,
) error {
	rows, damaged, err := c.rows.ReadableAPIKeys(ctx, c.owner)
	if err != nil {
		return err
	}
	unknown := c.ledger.APIKeys
	known := slices.DeleteFunc(rows, func(k APIKey) bool {
		return k.User != c.owner || !unknown.Remove(c.apiKeyEntry(k))
	})
	damaged += len(rows) - len(known)
	for _, entry := range unknown.All() {
		c.ledger.APIKeys.Remove(entry)
	}
	what.Rules = what.Rules || unknown.Len() > 0
	done.Damaged += max(damaged, unknown.Len())
	for _, k := range known {
		if !what.ends(k) || !k.mayWork(c.at) || k.ID == in.who.Credential.ID {
			continue
		}
		above := slices.ContainsFunc(own.keys, func(o APIKey) bool { return o.ID == k.ID })
		if above && !in.who.SelfRevoke ||
			len(policy.Missing(k.Scopes, in.who.Scopes)) > 0 {
			done.Kept++
			continue
		}
		c.record(k.target())
		leases, err := c.endWithLeases(ctx, k)
		if err != nil {
			return err
		}
		done.Leases += leases
		done.Self = done.Self || above
		done.count(k)
	}
	return nil
}

// ends reports whether a stop is to end a credential of that kind.
func (what Stop) ends(k APIKey) bool {
	switch k.Kind {
	case audit.CredentialSession, audit.CredentialSignInLink, audit.CredentialDevice:
		return what.Sessions
	case audit.CredentialTrust, audit.CredentialWorkload:
		return what.Rules
	case audit.CredentialPasskey:
		return what.Passkeys
	case audit.CredentialGrant:
		return what.Grants
	case audit.CredentialAPIKey, audit.CredentialTicket, audit.CredentialPlaceholder,
		audit.CredentialSchedule:
	case audit.CredentialIdentity: // who signs in there proves anew who they are
		return false
	}
	return what.Keys
}

// count counts a credential that was ended.
func (done *Stopped) count(k APIKey) {
	switch k.Kind {
	case audit.CredentialSession:
		done.Sessions++
	case audit.CredentialSignInLink, audit.CredentialDevice:
		done.Waiting++
	case audit.CredentialTrust:
		done.Rules++
	case audit.CredentialPasskey:
		done.Passkeys++
	case audit.CredentialGrant:
		done.Grants++
	case audit.CredentialWorkload: // ends with its rule
	case audit.CredentialAPIKey, audit.CredentialTicket, audit.CredentialPlaceholder,
		audit.CredentialSchedule, audit.CredentialIdentity:
	case "":
		done.Keys++
	}
}
