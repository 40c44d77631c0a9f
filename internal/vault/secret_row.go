package vault

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
)

// Row is what the ledger lists of a secret with its current version. The value is not in it: it
// opens with this stamp only.
func (s StoredSecret) Row() anchor.Row {
	return anchor.NewRow("secret").ID(s.User).ID(s.ID).Text(s.Name).Text(s.Provider).
		Number(s.Version).Bytes(s.Stamp[:]).Bytes(s.SealedMask).Time(s.CreatedAt).
		Time(s.UpdatedAt).Time(s.ExpiresAt).
		Number(uint64(s.RemindBefore.Microseconds())) //nolint:gosec // it is not negative
}

func (p *page) secretEntry(s StoredSecret) []byte {
	return s.Row().Entry(p.signer, anchor.VersionEntry)
}

// checkSecret returns an error for a row that is not one of the user's secrets.
func (p *page) checkSecret(s StoredSecret) error {
	if s.User != p.owner || !p.ledger.Secrets.Has(p.secretEntry(s)) {
		return tampered("secret "+s.ID.String()+" of user "+p.owner.String(), errNotListed)
	}
	return nil
}

// secret returns one of the user's secrets without its value. NotFound: there is none of that id.
func (p *page) secret(ctx context.Context, id uuid.UUID) (StoredSecret, error) {
	if kept := p.keptRows(id); kept != nil {
		return kept[0], nil
	}
	s, err := p.rows.Secret(ctx, p.owner, id)
	if errors.Is(err, ErrNotFound) {
		if _, err := p.secrets(ctx); err != nil { // is it hidden?
			return StoredSecret{}, err
		}
	}
	if err == nil && s.ID != id {
		err = tampered("secret "+id.String(), errIndex)
	}
	if err == nil {
		err = p.checkSecret(s)
	}
	if err == nil {
		p.keepRows(id, s)
	}
	return s, err
}

// sealedSecret returns one of the user's secrets with its value.
func (p *page) sealedSecret(ctx context.Context, id uuid.UUID) (StoredSecret, error) {
	s, err := p.secret(ctx, id)
	if err == nil {
		s.SealedValue, err = p.rows.SealedValue(ctx, p.owner, id)
	}
	return s, err
}

// secrets returns the user's secrets without their values, ordered by name.
func (p *page) secrets(ctx context.Context) ([]StoredSecret, error) {
	if kept := p.keptRows(allRows); kept != nil {
		return kept, nil
	}
	found, err := p.rows.Secrets(ctx, p.owner)
	if err == nil {
		err = p.checkSecrets(found)
	}
	if err != nil {
		return nil, err
	}
	p.keepRows(allRows, found...)
	return found, nil
}

// checkSecrets returns an error for rows that are not all of the user's secrets.
func (p *page) checkSecrets(found []StoredSecret) error {
	names := make(map[string]bool, len(found))
	for _, s := range found {
		if err := p.checkSecret(s); err != nil {
			return err
		}
		if names[s.Name] {
			return tampered("secret "+s.ID.String()+" of user "+p.owner.String(), errTwice)
		}
		names[s.Name] = true
	}
	return p.checkComplete(p.ledger.Secrets, len(found), "secrets")
}

// current returns a secret as it is now. It returns [errStale] if its name, its version or its
// deadline is another than the one that was read: a version is what its stamp says.
func (c *change) current(ctx context.Context, read StoredSecret) (StoredSecret, error) {
	s, err := c.secret(ctx, read.ID)
	if err == nil && (s.Stamp != read.Stamp || s.Name != read.Name || !s.sameDeadline(read)) {
		err = errStale
	}
	return s, err
}

// addSecret stores a new secret.
func (c *change) addSecret(ctx context.Context, s StoredSecret) error {
	c.ledger.Secrets.Add(c.secretEntry(s))
	return errors.Join(c.countSeal(), c.tx.InsertSecret(ctx, s))
}

// replaceSecret stores the next version of a secret. The one that was current is kept with the
// versions before it, as many as keep says; the others are destroyed.
func (c *change) replaceSecret(ctx context.Context, was, next StoredSecret, keep uint64) error {
	if err := c.countSeal(); err != nil {
		return err
	}
	if keep > 1 {
		c.ledger.Versions.Add(c.versionEntry(was.version()))
		if err := c.tx.ArchiveVersion(ctx, was.User, was.ID); err != nil {
			return err
		}
	}
	c.ledger.Secrets.Remove(c.secretEntry(was))
	c.ledger.Secrets.Add(c.secretEntry(next))
	if err := c.tx.UpdateSecret(ctx, next); err != nil {
		return err
	}
	if next.Version <= keep {
		return nil
	}
	return c.pruneVersions(ctx, next.ID, next.Version-keep)
}

// setDeadline stores when a secret expires.
func (c *change) setDeadline(ctx context.Context, was, next StoredSecret) error {
	c.ledger.Secrets.Remove(c.secretEntry(was))
	c.ledger.Secrets.Add(c.secretEntry(next))
	if err := c.tx.SetDeadline(ctx, next); err != nil {
		return err
	}
	return noticeBy(ctx, c.tx, c.owner, newlyKnown(next))
}

// renameSecret stores another name of a secret, with the mask that is sealed for it.
func (c *change) renameSecret(ctx context.Context, was, next StoredSecret) error {
	c.ledger.Secrets.Remove(c.secretEntry(was))
	c.ledger.Secrets.Add(c.secretEntry(next))
	return errors.Join(c.countSeal(), c.tx.RenameSecret(ctx, next))
}

// removeSecret destroys a secret with all its versions, of which none may be hidden: it would stay
// in the ledger.
func (c *change) removeSecret(ctx context.Context, s StoredSecret) error {
	if _, err := c.allVersions(ctx); err != nil {
		return err
	}
	if err := c.pruneVersions(ctx, s.ID, s.Version); err != nil {
		return err
	}
	c.ledger.Secrets.Remove(c.secretEntry(s))
	return c.tx.DeleteSecret(ctx, s.User, s.ID)
}
