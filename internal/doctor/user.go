package doctor

import (
	"bytes"
	"context"
	"errors"
	"iter"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/vault"
)

// An owner is a user or the instance, which has nothing but a ledger and an audit chain.
type owner struct {
	vault.StoredUser

	instance bool
}

// owners returns users and the instance, in the order of their ids. Damaged rows are left out.
func (e *examination) owners(ctx context.Context) iter.Seq2[owner, error] {
	return func(yield func(owner, error) bool) {
		instances, err := e.instances(ctx)
		if err != nil {
			yield(owner{}, err)
			return
		}
		before := func(id uuid.UUID) bool {
			for len(instances) > 0 && bytes.Compare(instances[0].Owner[:], id[:]) < 0 {
				next := owner{vault.StoredUser{StoredLedger: instances[0]}, true}
				if instances = instances[1:]; !yield(next, nil) {
					return false
				}
			}
			return true
		}
		for u, err := range store.Users(ctx, e.src) {
			if err != nil && e.damaged(err) {
				continue
			}
			if !before(u.Owner) || !yield(owner{StoredUser: u}, err) || err != nil {
				return
			}
		}
		before(uuid.Max)
	}
}

// checkOwner examines the rows of one owner.
func (e *examination) checkOwner(o owner, s streams) error {
	l := e.openLedger(o)
	delete(e.unseen, o.Owner)
	if !o.instance {
		e.libraries++
		keys, err := e.checkKeys(l, s.keys)
		if err == nil {
			err = e.checkAPIKeys(l, s.apiKeys)
		}
		if err == nil {
			err = e.checkSecrets(l, keys, s)
		}
		if err == nil {
			err = e.checkLeases(l, s.leases)
		}
		if err == nil {
			err = e.checkDone(l, s.done)
		}
		if err != nil {
			return err
		}
	}
	return e.checkChain(l, s.entries)
}

// checkKeys returns the owner keys that open and of which the ledger says that they do.
func (e *examination) checkKeys(
	l library, rows *stream[ownerKey],
) (map[uuid.UUID]seal.OwnerKey, error) {
	keys, closed := map[uuid.UUID]seal.OwnerKey{}, false
	for k, err := range rows.of(l.Owner) {
		switch {
		case err != nil:
			return nil, err
		case k.err != nil:
			e.keys.add("owner key %s of user %s: %v", k.ID, l.Owner, k.err)
			closed = true
		case l.signed && k.ID != l.ledger.OwnerKey && k.ID != l.ledger.PreviousKey:
			e.keys.add("owner key %s of user %s is not one that the ledger names", k.ID, l.Owner)
		default:
			keys[k.ID] = k.key
		}
	}
	if _, found := keys[l.ledger.OwnerKey]; !found && !closed && l.signed &&
		l.ledger.State != anchor.Deleted {
		e.keys.add("user %s has no owner key %s, which seals new values", l.Owner,
			l.ledger.OwnerKey)
	}
	return keys, nil
}

// checkAPIKeys checks that the ledger lists the API keys.
func (e *examination) checkAPIKeys(l library, rows *stream[vault.APIKey]) error {
	found := 0
	for k, err := range rows.of(l.Owner) {
		if err != nil {
			return err
		}
		if e.list(l, l.ledger.APIKeys, k.Row(), anchor.KeyEntry, "API key", k.ID) {
			found++
		}
	}
	e.complete(l, l.ledger.APIKeys, found, "API keys")
	return nil
}

// checkSecrets checks that the ledger lists secrets and versions, and opens the sampled ones.
func (e *examination) checkSecrets(
	l library, keys map[uuid.UUID]seal.OwnerKey, s streams,
) error {
	current, found := map[uuid.UUID]vault.StoredSecret{}, 0
	for row, err := range s.secrets.of(l.Owner) {
		if err != nil {
			return err
		}
		if e.list(l, l.ledger.Secrets, row.Row(), anchor.VersionEntry, "secret", row.ID) {
			found++
		}
		e.open(keys, row.Binding(), row.SealedMask, row.SealedValue)
		row.SealedMask, row.SealedValue = nil, nil
		current[row.ID] = row
	}
	e.complete(l, l.ledger.Secrets, found, "secrets")
	found = 0
	for row, err := range s.versions.of(l.Owner) {
		if err != nil {
			return err
		}
		of, known := current[row.Secret]
		if !known || row.Number >= of.Version {
			e.ledgers.add("version %d of secret %s is not older than a secret of its user",
				row.Number, row.Secret)
		}
		if e.list(l, l.ledger.Versions, row.Row(), anchor.VersionEntry, "version of secret",
			row.Secret) {
			found++
		}
		e.open(keys, row.Binding(of), row.SealedMask, row.SealedValue)
	}
	e.complete(l, l.ledger.Versions, found, "versions")
	return nil
}

// open opens one version if it is in the sample.
func (e *examination) open(keys map[uuid.UUID]seal.OwnerKey, at seal.Binding, mask, value []byte) {
	if !e.sampler.next() {
		return
	}
	e.opened++
	err := openWith(keys, value, func(k seal.OwnerKey) error {
		_, err := k.OpenValue(at, value)
		return err
	})
	if err == nil {
		err = openWith(keys, mask, func(k seal.OwnerKey) error {
			_, err := k.OpenMask(at, mask)
			return err
		})
	}
	if err != nil {
		e.values.add("version %d of secret %s of user %s: %v",
			at.Version, at.Secret, at.User, err)
	}
}

var errNoOwnerKey = errors.New("its owner key is missing or does not open")

func openWith(
	keys map[uuid.UUID]seal.OwnerKey, blob []byte, open func(seal.OwnerKey) error,
) error {
	id, err := seal.KeyID(blob)
	if err != nil {
		return err
	}
	key, found := keys[id]
	if !found {
		return errNoOwnerKey
	}
	return open(key)
}

// checkChain verifies one audit chain: to the end that the ledger has, if the ledger verifies.
func (e *examination) checkChain(l library, entries *stream[audit.Linked]) error {
	e.chainsSeen++
	whole := false
	all := func(yield func(audit.Linked, error) bool) {
		for entry, err := range entries.of(l.Owner) {
			if !yield(entry, err) {
				return
			}
		}
		whole = true
	}
	err := audit.VerifyChainFrom(l.ledger.Cut, l.Owner, all, l.ledger.Head)
	if broken, ok := errors.AsType[*audit.BreakError](err); ok {
		if l.signed || !whole {
			e.chains.add("%v", broken)
		}
		err = nil
	}
	return errors.Join(err, entries.skip(l.Owner)) // the entries after a break
}
