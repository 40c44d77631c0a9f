package doctor

import (
	"bytes"
	"context"
	"errors"
	"iter"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/vault"
)

// An owner is a user or the instance, which has nothing but an audit chain.
type owner struct {
	store.StoredUser

	instance bool
}

// owners returns users and the instance, in the order of their ids. Damaged rows are left out.
func (e *examination) owners(ctx context.Context) iter.Seq2[owner, error] {
	return func(yield func(owner, error) bool) {
		var instances []vault.Ledger
		for l, err := range store.Instances(ctx, e.src) {
			if err != nil && !e.damaged(err) {
				yield(owner{}, err)
				return
			}
			if err == nil {
				instances = append(instances, l)
			}
		}
		before := func(id uuid.UUID) bool {
			for len(instances) > 0 && bytes.Compare(instances[0].Owner[:], id[:]) < 0 {
				next := owner{StoredUser: store.StoredUser{Ledger: instances[0]}, instance: true}
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
	if !o.instance {
		e.libraries++
		keys, err := e.checkKeys(o.StoredUser, s.keys)
		if err == nil {
			err = s.apiKeys.skip(o.Owner)
		}
		if err == nil {
			err = e.checkSecrets(o.StoredUser, keys, s)
		}
		if err != nil {
			return err
		}
	}
	return e.checkChain(o.Ledger, s.entries)
}

// checkKeys returns the owner keys that open.
func (e *examination) checkKeys(
	user store.StoredUser, rows *stream[ownerKey],
) (map[uuid.UUID]seal.OwnerKey, error) {
	keys, closed := map[uuid.UUID]seal.OwnerKey{}, false
	for k, err := range rows.of(user.Owner) {
		if err != nil {
			return nil, err
		}
		if k.err != nil {
			e.keys.add("owner key %s of user %s: %v", k.ID, user.Owner, k.err)
			closed = true
			continue
		}
		keys[k.ID] = k.key
	}
	if _, found := keys[user.OwnerKey]; !found && !closed && user.DeletedAt.IsZero() {
		e.keys.add("user %s has no owner key %s, which seals new values", user.Owner, user.OwnerKey)
	}
	return keys, nil
}

// checkSecrets opens the sampled values and masks, and counts.
func (e *examination) checkSecrets(
	user store.StoredUser, keys map[uuid.UUID]seal.OwnerKey, s streams,
) error {
	current := map[uuid.UUID]vault.StoredSecret{}
	for row, err := range s.secrets.of(user.Owner) {
		if err != nil {
			return err
		}
		e.open(keys, row.Binding(), row.SealedMask, row.SealedValue)
		row.SealedMask, row.SealedValue = nil, nil
		current[row.ID] = row
	}
	if n := len(current); n != user.Secrets {
		e.counts.add("user %s has %d secrets, and counts %d", user.Owner, n, user.Secrets)
	}
	for row, err := range s.versions.of(user.Owner) {
		if err != nil {
			return err
		}
		of, found := current[row.Secret]
		if !found || row.Number >= of.Version {
			e.counts.add("version %d of secret %s is not older than a secret of its user",
				row.Number, row.Secret)
		}
		e.open(keys, row.Binding(of), row.SealedMask, row.SealedValue)
	}
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

// checkChain verifies one audit chain.
func (e *examination) checkChain(ledger vault.Ledger, entries *stream[audit.Linked]) error {
	e.chainsSeen++
	err := audit.Chain{}.Verify(ledger.Owner, entries.of(ledger.Owner), ledger.Head)
	if broken, ok := errors.AsType[*audit.BreakError](err); ok {
		e.chains.add("%v", broken)
		err = nil
	}
	return errors.Join(err, entries.skip(ledger.Owner)) // the entries after a break
}
