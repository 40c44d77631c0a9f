package vault

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/audit"
)

// errIndex means that the database answered with another row than the one that was asked for.
var errIndex = errors.New("the database answered with another row than was asked for")

// Row is what the ledger lists of a key. It leaves out when the key was used, which proves nothing.
func (k APIKey) Row() anchor.Row {
	kind := cmp.Or(k.Kind, audit.CredentialAPIKey)
	row := anchor.NewRow(string(kind)).ID(k.User).ID(k.ID).Bytes(k.Hash[:]).ID(k.Parent).
		Text(k.Name).Text(k.Masked).Number(uint64(len(k.Scopes)))
	for _, scope := range k.Scopes {
		row = row.Text(string(scope))
	}
	row = row.Flag(k.SelfRevoke).Flag(k.Suspended).Time(k.CreatedAt).Time(k.ExpiresAt).
		Time(k.RevokedAt)
	if k.TermsJSON != "" || len(k.Presented) > 0 {
		row = row.Text(k.TermsJSON).Bytes(k.Presented)
	}
	return row
}

func (p *page) apiKeyEntry(k APIKey) []byte { return k.Row().Entry(p.signer, anchor.KeyEntry) }

// checkAPIKey returns an error for a row that is not one of the user's keys.
func (p *page) checkAPIKey(k APIKey) error {
	if k.User != p.owner || !p.lists(k) {
		return tampered("API key "+k.ID.String()+" of user "+p.owner.String(), errNotListed)
	}
	return nil
}

// apiKeys returns the user's keys, newest first, with Active as of that time.
func (p *page) apiKeys(ctx context.Context, now time.Time) ([]APIKey, error) {
	keys, err := p.rows.APIKeys(ctx, p.owner)
	if err != nil {
		return nil, err
	}
	rest := map[uuid.UUID]line{}
	for i := range keys {
		if i > 0 && bytes.Compare(keys[i].ID[:], keys[i-1].ID[:]) >= 0 { // newest first
			return nil, tampered("API keys of user "+p.owner.String(), errTwice)
		}
		if keys[i].Active, err = p.worksBelow(ctx, keys[i], rest, now); err != nil {
			return nil, err
		}
	}
	return keys, p.checkComplete(p.ledger.APIKeys, len(keys), "API keys")
}

// apiKey returns one of the user's keys, without Active. NotFound: there is none of that id.
func (p *page) apiKey(ctx context.Context, id uuid.UUID) (APIKey, error) {
	k, err := p.rows.APIKeyByID(ctx, id)
	switch {
	case err == nil && k.ID != id:
		return APIKey{}, tampered("API key "+id.String(), errIndex)
	case err == nil && k.User == p.owner:
		return k, p.checkAPIKey(k)
	case err == nil, errors.Is(err, ErrNotFound):
		if _, err := p.apiKeys(ctx, time.Time{}); err != nil { // is it hidden?
			return APIKey{}, err
		}
		return APIKey{}, ErrNotFound
	}
	return APIKey{}, err
}

// works reports whether a key of the user works at a time.
func (p *page) works(ctx context.Context, k APIKey, now time.Time) (bool, error) {
	l, err := p.line(ctx, k)
	return l.works(now), err
}

// mayWork reports whether a key was neither revoked nor has expired. What is above it may end it,
// for now or for good.
func (k APIKey) mayWork(now time.Time) bool {
	return k.RevokedAt.IsZero() && !k.expired(now)
}

func (k APIKey) expired(now time.Time) bool {
	return !k.ExpiresAt.IsZero() && !k.ExpiresAt.After(now)
}

// worksBelow is works for many keys: rest has the lines above those that were looked at, by the key
// that they begin with.
func (p *page) worksBelow(
	ctx context.Context, k APIKey, rest map[uuid.UUID]line, now time.Time,
) (bool, error) {
	if above, found := rest[k.Parent]; found && k.RevokedAt.IsZero() {
		keys := append([]APIKey{k}, above.keys...)
		return line{keys: keys, whole: above.whole}.works(now), p.checkAPIKey(k)
	}
	l, err := p.line(ctx, k)
	if err == nil && len(l.keys) > 0 {
		rest[k.Parent] = line{keys: l.keys[1:], whole: l.whole}
	}
	return l.works(now), err
}

// line returns a key of the user and the keys above it, up to the first that was revoked or whose
// user is disabled.
func (p *page) line(ctx context.Context, k APIKey) (line, error) {
	l := line{numbers: map[uuid.UUID]uint64{}}
	for range maxLine {
		err := p.checkAPIKey(k)
		if err != nil || !k.RevokedAt.IsZero() || p.ledger.State == anchor.Disabled {
			return l, err
		}
		l.keys, l.numbers[p.owner] = append(l.keys, k), p.ledger.Number
		if k.Parent == uuid.Nil {
			l.whole = true
			return l, nil
		}
		above, err := p.rows.APIKeyByID(ctx, k.Parent)
		if err == nil && above.ID != k.Parent {
			err = tampered("API key "+k.Parent.String(), errIndex)
		}
		if err == nil && above.User != p.owner {
			p, err = p.user(ctx, above.User)
		}
		if errors.Is(err, ErrNotFound) {
			return l, nil
		}
		if err != nil {
			return line{}, err
		}
		k = above
	}
	return l, nil
}

// callersKey returns the key by which the caller came, with its line. Unauthenticated: it does not
// work any more.
func (c *change) callersKey(ctx context.Context, who Actor) (line, error) {
	p := c.page
	if who.User != c.owner {
		var err error
		if p, err = c.user(ctx, who.User); err != nil {
			return line{}, callerGone(err)
		}
	}
	k, err := p.apiKey(ctx, who.Credential.ID)
	if err != nil {
		return line{}, callerGone(err)
	}
	l, err := p.line(ctx, k)
	if err == nil && !l.works(c.at) {
		err = unauthenticated()
	}
	return l, err
}

// addAPIKey stores a new key.
func (c *change) addAPIKey(ctx context.Context, k APIKey) error {
	c.ledger.APIKeys.Add(c.apiKeyEntry(k))
	return c.tx.InsertAPIKey(ctx, k)
}

// endAPIKey revokes a key.
func (c *change) endAPIKey(ctx context.Context, k APIKey) error {
	c.ledger.APIKeys.Remove(c.apiKeyEntry(k))
	k.RevokedAt = c.at
	c.ledger.APIKeys.Add(c.apiKeyEntry(k))
	return c.tx.RevokeAPIKey(ctx, k.User, k.ID, k.RevokedAt)
}

// removeAPIKey removes a key that does not work.
func (c *change) removeAPIKey(ctx context.Context, k APIKey) error {
	c.ledger.APIKeys.Remove(c.apiKeyEntry(k))
	return c.tx.DeleteAPIKey(ctx, k.User, k.ID)
}
