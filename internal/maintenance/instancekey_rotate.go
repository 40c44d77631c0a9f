package maintenance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/vault"
)

// A RotatedInstanceKey is what a rotation of the instance key did.
type RotatedInstanceKey struct {
	ID     uuid.UUID // of the instance key that the configuration names first, or is to name
	Signed int       // the number of users whose ledgers it signed
	Next   string    // what is left to the operator; empty if nothing is
}

// RotateInstanceKey makes another instance key the one that signs: it verifies every ledger and
// every row under the old one, and signs them with the new one. Servers may be running.
//
// Where the keys file names the instance keys, the new one comes first in it, and the old one is
// taken out when nothing is signed with it any more. Where --instance-key names them, it does only
// what the flags allow, and says what comes next; and so where servers on other machines have
// copies of the keys file. An interrupted rotation continues with the same call. progress is called
// as the number of users grows.
//
// A user whose library was tampered with stays signed by the old key, which stays then; unless the
// user is to be left out, and is broken from then on. The errors are those of [RotateRootKey].
func RotateInstanceKey(
	ctx context.Context, cfg config.Config, ask rootkey.Ask, leftOut []uuid.UUID,
	progress func(done, total int),
) (done RotatedInstanceKey, err error) {
	keys := instance.NewKeys(cfg, ask)
	err = withRotationLock(ctx, cfg, keys, func(i *instance.Instance) error {
		r := instanceKeyRotation{
			Instance: i, cfg: cfg, leftOut: leftOut, done: &done, progress: progress,
		}
		// the rotation before this one may have ended after the keys were opened
		if err := i.Operator.OpenInstanceKeys(ctx); err != nil {
			return err
		}
		switch {
		case len(cfg.InstanceKeys) > 0:
			return r.followFlags(ctx, cfg.InstanceKeys)
		case cfg.DatabaseURL != "":
			return r.changeCopies(ctx)
		}
		return r.changeKeysFile(ctx)
	})
	return done, err
}

// An instanceKeyRotation is one run.
type instanceKeyRotation struct {
	*instance.Instance

	cfg      config.Config
	leftOut  []uuid.UUID
	done     *RotatedInstanceKey
	progress func(done, total int)
}

// add makes a new instance key known to the database. A key of which only a row tells is never
// used: one of an interrupted run is left, and destroyed with the old ones.
func (r *instanceKeyRotation) add(ctx context.Context) (uuid.UUID, error) {
	key, err := seal.NewInstanceKey()
	if err != nil {
		return uuid.Nil, err
	}
	return key.ID(), r.Operator.AddInstanceKey(ctx, key)
}

// changeKeysFile does all steps of a rotation where the keys file names the keys. Each step is
// complete before the next one begins. If the file names several keys, the rotation to the first of
// them was interrupted.
func (r *instanceKeyRotation) changeKeysFile(ctx context.Context) error {
	named, err := r.Keys.InstanceKeys()
	if err != nil {
		return err
	}
	if len(named) == 1 {
		id, err := r.add(ctx)
		if err != nil {
			return err
		}
		err = r.Keys.ChangeInstanceKeys(func(named []uuid.UUID) []uuid.UUID {
			return append([]uuid.UUID{id}, named...)
		})
		if err != nil {
			return err
		}
		named = append([]uuid.UUID{id}, named...)
	}
	r.done.ID = named[0]
	if err := r.sign(ctx); err != nil {
		return err
	}
	return r.Keys.ChangeInstanceKeys(func([]uuid.UUID) []uuid.UUID { return named[:1] })
}

// followFlags signs if the flags name the new key first, and says what comes next.
func (r *instanceKeyRotation) followFlags(ctx context.Context, named []uuid.UUID) error {
	r.done.ID = named[0]
	if len(named) == 1 {
		id, err := r.add(ctx)
		r.done.Next = fmt.Sprintf("add --instance-key %s behind the other on every server, "+
			"restart them, and run this again with it", id)
		return err
	}
	signer, added, err := r.Operator.InstanceSigner(ctx)
	if err != nil {
		return err
	}
	if signer == named[0] && added {
		r.done.Next = fmt.Sprintf("move --instance-key %s to the front on every server, restart "+
			"them, and run this again with both", named[1])
		return nil
	}
	if err := r.sign(ctx); err != nil {
		return err
	}
	old := make([]string, len(named)-1)
	for n, id := range named[1:] {
		old[n] = "--instance-key " + id.String()
	}
	r.done.Next = fmt.Sprintf("take %s out on every server, and restart them",
		strings.Join(old, " and "))
	return nil
}

// maxSigns bounds how often is signed again what a server signed with a key that it has not given
// up yet.
const maxSigns = 10

// sign signs everything with the first key that is named, and destroys the others.
func (r *instanceKeyRotation) sign(ctx context.Context) (err error) {
	if err := r.Operator.OpenInstanceKeys(ctx); err != nil {
		return err
	}
	if err := r.KeepDevMark(r.cfg.Data); err != nil {
		return err
	}
	progress := func(done, total int) {
		r.done.Signed = done
		r.progress(done, total)
	}
	for range maxSigns {
		_, err = r.Operator.Resign(ctx, false, progress)
		if err = r.unlessLeftOut(err); err != nil {
			return err
		}
		err = r.Operator.DropInstanceKeys(ctx, r.leftOut...)
		if vault.KindOf(err) != vault.Conflict {
			return err
		}
		progress = func(int, int) {}
	}
	return err
}

// unlessLeftOut returns err, unless it only names users who are to be left out.
func (r *instanceKeyRotation) unlessLeftOut(err error) error {
	unsigned, ok := errors.AsType[*vault.UnsignedError](err)
	if !ok {
		return err
	}
	var flags []string
	for _, user := range unsigned.Users {
		if !slices.Contains(r.leftOut, user) {
			flags = append(flags, "--skip-user "+user.String())
		}
	}
	if len(flags) == 0 {
		return nil
	}
	return fmt.Errorf("%w. The old key is still believed: bring these users back from a backup "+
		"and run this again, or give %s to lock them out until then",
		err, strings.Join(flags, " "))
}
