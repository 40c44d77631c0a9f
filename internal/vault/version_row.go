package vault

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
)

// Row is what the ledger lists of an old version.
func (v StoredVersion) Row() anchor.Row {
	return anchor.NewRow("version").ID(v.User).ID(v.Secret).Number(v.Number).Text(v.Name).
		Bytes(v.Stamp[:]).Bytes(v.SealedMask).Time(v.CreatedAt)
}

func (p *page) versionEntry(v StoredVersion) []byte {
	return v.Row().Entry(p.signer, anchor.VersionEntry)
}

// checkVersion returns an error for a row that is not an old version of one of the user's secrets.
func (p *page) checkVersion(v StoredVersion) error {
	if v.User != p.owner || !p.ledger.Versions.Has(p.versionEntry(v)) {
		return tampered("version of secret "+v.Secret.String()+" of user "+p.owner.String(),
			errNotListed)
	}
	return nil
}

// oldVersion returns an old version of one of the user's secrets with its value. NotFound: it is
// not kept.
func (p *page) oldVersion(
	ctx context.Context, secret uuid.UUID, number uint64,
) (StoredVersion, error) {
	v, err := p.rows.OldVersion(ctx, p.owner, secret, number)
	if errors.Is(err, ErrNotFound) {
		if _, err := p.oldVersions(ctx, secret); err != nil { // is it hidden?
			return StoredVersion{}, err
		}
	}
	if err == nil && (v.Secret != secret || v.Number != number) {
		err = tampered("version of secret "+secret.String(), errIndex)
	}
	if err == nil {
		err = p.checkVersion(v)
	}
	return v, err
}

// oldVersions returns the old versions of one of the user's secrets without their values, newest
// first.
func (p *page) oldVersions(ctx context.Context, secret uuid.UUID) ([]StoredVersion, error) {
	all, err := p.allVersions(ctx)
	return slices.DeleteFunc(all, func(v StoredVersion) bool { return v.Secret != secret }), err
}

// allVersions returns the old versions of all of the user's secrets without their values.
func (p *page) allVersions(ctx context.Context) ([]StoredVersion, error) {
	all, err := p.rows.OldVersions(ctx, p.owner)
	if err != nil {
		return nil, err
	}
	return all, p.checkVersions(all)
}

// sealedLibrary returns all of the user's secrets and their old versions, with their values.
func (p *page) sealedLibrary(ctx context.Context) ([]StoredSecret, []StoredVersion, error) {
	secrets, err := p.rows.SealedSecrets(ctx, p.owner)
	if err == nil {
		err = p.checkSecrets(secrets)
	}
	if err != nil {
		return nil, nil, err
	}
	versions, err := p.rows.SealedVersions(ctx, p.owner)
	if err == nil {
		err = p.checkVersions(versions)
	}
	return secrets, versions, err
}

// checkVersions returns an error for rows that are not all old versions of the user's secrets.
func (p *page) checkVersions(found []StoredVersion) error {
	type version struct {
		secret uuid.UUID
		number uint64
	}
	seen := make(map[version]bool, len(found))
	for _, v := range found {
		if err := p.checkVersion(v); err != nil {
			return err
		}
		if seen[version{v.Secret, v.Number}] {
			return tampered("version of secret "+v.Secret.String(), errTwice)
		}
		seen[version{v.Secret, v.Number}] = true
	}
	return p.checkComplete(p.ledger.Versions, len(found), "versions")
}

// pruneVersions destroys the old versions of a secret up to and including a number. It looks for
// all of the user's: one that is hidden meanwhile would stay listed, and could be put back.
func (c *change) pruneVersions(ctx context.Context, secret uuid.UUID, upTo uint64) error {
	found, err := c.oldVersions(ctx, secret)
	if err != nil {
		return err
	}
	for _, v := range found {
		if v.Number > upTo {
			continue
		}
		c.ledger.Versions.Remove(c.versionEntry(v))
	}
	return c.tx.PruneVersions(ctx, c.owner, secret, upTo)
}
