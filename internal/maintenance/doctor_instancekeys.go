package maintenance

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/vault"
)

// instanceKeys are the instance keys that the configuration names and a database or backup has.
type instanceKeys struct {
	open   map[uuid.UUID]seal.InstanceKey
	closed map[uuid.UUID]error // those that do not open, and why
}

func (k instanceKeys) get(id uuid.UUID) (seal.InstanceKey, bool) {
	key, found := k.open[id]
	return key, found
}

// isClosed reports whether a key is named, and there, and does not open.
func (k instanceKeys) isClosed(id uuid.UUID) bool { return k.closed[id] != nil }

const completeInstanceKey = "complete the rotation: keysake instance-key rotate"

// openInstanceKeys opens the instance keys that are named. A database must have the first of them,
// and a backup one.
func (r *reporter) openInstanceKeys(
	ctx context.Context, prefix string, src backup.Source, known []vault.StoredRootKey,
) (instanceKeys, error) {
	name := prefix + "instance keys"
	ids, err := r.keys.InstanceKeys()
	if err != nil {
		r.fail(name, "name the instance key in the keys file or with --instance-key", "%v", err)
		return instanceKeys{}, nil
	}
	keys, err := r.readInstanceKeys(ctx, src, known, ids)
	if err != nil {
		return keys, err
	}
	var missing []uuid.UUID
	for _, id := range ids {
		if err := keys.closed[id]; err != nil {
			r.fail(name, restoreBackup,
				"instance key %s, which is named, does not open: %v", id, err)
			return keys, nil
		}
		if _, found := keys.open[id]; !found {
			missing = append(missing, id)
		}
	}
	isBackup := prefix != ""
	switch {
	case len(keys.open) == 0 || !isBackup && len(missing) > 0 && missing[0] == ids[0]:
		r.fail(name, restoreBackup, "instance key %s, which is named, does not open: %v", ids[0],
			errors.New("there is no such key"))
	case isBackup || len(ids) == 1:
		r.ok(name, "the instance keys that are needed open: %d", len(keys.open))
	case len(missing) > 0:
		r.warn(name, completeInstanceKey, "instance key %s is named, and not there any more: "+
			"the first one signed everything", missing[0])
	default:
		return keys, r.checkSigners(ctx, name, src, ids[0])
	}
	return keys, nil
}

// checkSigners checks that the first instance key signed all ledgers, while others are believed.
func (r *reporter) checkSigners(
	ctx context.Context, name string, src backup.Source, first uuid.UUID,
) error {
	behind := 0
	count := func(signed []byte) {
		if anchor.SignedBy(signed) != first {
			behind++
		}
	}
	for l, err := range store.Instances(ctx, src) {
		if _, damaged := errors.AsType[*store.DamagedError](err); err != nil && !damaged {
			return err
		}
		count(l.Signed)
	}
	for u, err := range store.Users(ctx, src) {
		if _, damaged := errors.AsType[*store.DamagedError](err); err != nil && !damaged {
			return err
		}
		count(u.Signed)
	}
	text := "several instance keys are believed; the first one signed everything"
	if behind > 0 {
		text = fmt.Sprintf("several instance keys are believed; the first one did not sign %d "+
			"ledgers", behind)
	}
	r.add(doctor.Check{
		Name: name, Status: doctor.Failed, Text: text, Advice: completeInstanceKey,
	})
	return nil
}

func (r *reporter) readInstanceKeys(
	ctx context.Context, src backup.Source, known []vault.StoredRootKey, ids []uuid.UUID,
) (instanceKeys, error) {
	keys := instanceKeys{map[uuid.UUID]seal.InstanceKey{}, map[uuid.UUID]error{}}
	named := map[uuid.UUID]bool{}
	for _, id := range ids {
		named[id] = true
	}
	for k, err := range store.InstanceKeys(ctx, src) {
		if _, damaged := errors.AsType[*store.DamagedError](err); err != nil && !damaged {
			return keys, err
		}
		if _, open := keys.open[k.ID]; err != nil || !named[k.ID] || open {
			continue
		}
		key, err := r.openInstanceKey(ctx, k, known)
		if err != nil {
			keys.closed[k.ID] = err
			continue
		}
		delete(keys.closed, k.ID)
		keys.open[k.ID] = key
	}
	return keys, nil
}

func (r *reporter) openInstanceKey(
	ctx context.Context, k vault.StoredInstanceKey, known []vault.StoredRootKey,
) (seal.InstanceKey, error) {
	for _, s := range known {
		if s.ID != k.RootKey {
			continue
		}
		root, err := r.keys.OpenRootKey(ctx, s)
		if err != nil {
			return seal.InstanceKey{}, err
		}
		return root.UnwrapInstance(ctx, k.ID, k.Wrapped)
	}
	return seal.InstanceKey{}, errors.New("its root key is missing")
}
