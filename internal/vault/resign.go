package vault

import (
	"context"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/seal"
)

// resign verifies everything that the ledger of a user says, and makes its entries anew for another
// instance key, which signs the ledger from now on. It returns how many API keys it suspended.
func (c *change) resign(ctx context.Context, to seal.InstanceKey, suspend bool) (int, error) {
	user, err := c.rows.User(ctx, c.owner)
	if err != nil {
		return 0, err
	}
	if err := c.checkUser(user); err != nil {
		return 0, err
	}
	secrets, err := c.secrets(ctx)
	if err != nil {
		return 0, err
	}
	versions, err := c.allVersions(ctx)
	if err != nil {
		return 0, err
	}
	keys, err := c.listedAPIKeys(ctx)
	if err != nil {
		return 0, err
	}
	leases, err := c.openLeases(ctx)
	if err != nil {
		return 0, err
	}
	if err := c.checkEnd(ctx); err != nil {
		return 0, err
	}
	c.signer = to
	c.ledger.Secrets, c.ledger.Versions = anchor.Set{}, anchor.Set{}
	c.ledger.APIKeys, c.ledger.Leases = anchor.Set{}, anchor.Set{}
	for _, s := range secrets {
		if !c.ledger.Secrets.Add(c.secretEntry(s)) {
			return 0, c.twice("secret")
		}
	}
	for _, v := range versions {
		if !c.ledger.Versions.Add(c.versionEntry(v)) {
			return 0, c.twice("version")
		}
	}
	if err := c.listLeases(leases); err != nil {
		return 0, err
	}
	return c.resignAPIKeys(ctx, keys, suspend)
}

func (c *change) resignAPIKeys(ctx context.Context, keys []APIKey, suspend bool) (int, error) {
	suspended := 0
	for _, k := range keys {
		if suspend && k.RevokedAt.IsZero() && !k.Suspended {
			k.Suspended = true
			suspended++
			if err := c.tx.SuspendAPIKey(ctx, k.User, k.ID); err != nil {
				return 0, err
			}
		}
		if !c.ledger.APIKeys.Add(c.apiKeyEntry(k)) {
			return 0, c.twice("API key")
		}
	}
	return suspended, nil
}

// twice is the error for a row that is there more than once, in the place of another one.
func (p *page) twice(what string) error {
	return tampered("a "+what+" of user "+p.owner.String()+" is there twice", errMissing)
}

// checkUser returns an error for a row that is not the user's, who may have been deleted.
func (p *page) checkUser(u StoredUser) error {
	if p.ledger.State != anchor.Deleted {
		_, err := p.identify(u)
		return err
	}
	if u.Owner != p.owner || u.DeletedAt.IsZero() || u.Username != "" || u.Email != "" ||
		u.FullName != "" {
		return tampered("user "+p.owner.String(), errNotListed)
	}
	return nil
}

// listedAPIKeys returns the user's keys, without Active.
func (p *page) listedAPIKeys(ctx context.Context) ([]APIKey, error) {
	keys, err := p.rows.APIKeys(ctx, p.owner)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		if err := p.checkAPIKey(k); err != nil {
			return nil, err
		}
	}
	return keys, p.checkComplete(p.ledger.APIKeys, len(keys), "API keys")
}

// checkEnd returns an error if the audit chain does not end as the ledger says.
func (p *page) checkEnd(ctx context.Context) error {
	if p.ledger.Head == p.ledger.Cut {
		return nil
	}
	found := false
	last := p.ledger.Head.Seq
	err := p.rows.AuditBetween(ctx, p.owner, last-1, last, func(e audit.Linked) error {
		found = e.Owner == p.owner && e.Seq == last && e.Hash == p.ledger.Head.Hash
		return nil
	})
	if err == nil && !found {
		err = tampered("audit chain of "+p.owner.String(), errMissing)
	}
	return err
}
