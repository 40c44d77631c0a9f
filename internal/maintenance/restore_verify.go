package maintenance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/vault"
)

// verify opens and verifies everything in a backup, but what is left out.
func (r *restoration) verify(ctx context.Context, contents *backup.File) (err error) {
	if err := r.skip(ctx, contents); err != nil {
		return err
	}
	if r.src, err = store.Without(ctx, contents, r.skipped); err != nil {
		return err
	}
	failed, broken, err := r.verifyRows(ctx)
	if err != nil {
		return err
	}
	if len(failed) > 0 {
		return r.refusal(ctx, failed, broken)
	}
	named, err := r.keys.InstanceKeys()
	if err == nil {
		_, err = verifyManifest(ctx, contents, named, r.signers)
	}
	if err != nil {
		return fmt.Errorf("the manifest of the backup: %w", err)
	}
	return r.checkRules(ctx)
}

// verifyRows opens and verifies everything in src, and returns the checks that failed and the users
// of whom something does not verify.
func (r *restoration) verifyRows(
	ctx context.Context,
) (failed []doctor.Check, broken []uuid.UUID, err error) {
	if err := store.Check(ctx, r.src); err != nil {
		return nil, nil, err
	}
	known, err := store.RootKeys(ctx, r.src)
	if err != nil {
		return nil, nil, err
	}
	if _, err := r.keys.InstanceKeys(); err != nil {
		return nil, nil, instance.CannotOpen(err)
	}
	if r.roots, err = instance.ByID(r.keys.OpenRequired(ctx, known)); err != nil {
		return nil, nil, instance.CannotOpen(fmt.Errorf("%w. Restore the root key, or name it "+
			"with --root-key: without it, nothing that it wraps opens", err))
	}
	var named []uuid.UUID
	if r.signers, named, err = openSigners(ctx, r.keys, r.src, known); err != nil {
		return nil, nil, instance.CannotOpen(err)
	}
	r.keys.Believe(named...)
	return doctor.Verify(ctx, r.src, r.roots, r.signers, r.skipped)
}

// skip finds the users who are left out.
func (r *restoration) skip(ctx context.Context, contents *backup.File) error {
	for _, nameOrID := range r.options.SkipUsers {
		user, err := findStored(ctx, contents, nameOrID)
		if err != nil {
			return fmt.Errorf("--skip-user %s: the backup: %w", nameOrID, err)
		}
		if !slices.Contains(r.skipped, user.Owner) {
			r.skipped = append(r.skipped, user.Owner)
			r.done.Skipped = append(r.done.Skipped, nameOrID)
		}
	}
	return nil
}

// openSigners opens the instance keys that are named and that the source has, and returns which
// those are. Only they are believed.
func openSigners(
	ctx context.Context, keys *instance.Keys, src backup.Source, known []vault.StoredRootKey,
) (anchor.Keys, []uuid.UUID, error) {
	named, err := keys.InstanceKeys()
	if err != nil {
		return nil, nil, err
	}
	opened := map[uuid.UUID]seal.InstanceKey{}
	var failed error
	for k, err := range store.InstanceKeys(ctx, src) {
		if err != nil {
			return nil, nil, err
		}
		at := slices.IndexFunc(known, func(s vault.StoredRootKey) bool { return s.ID == k.RootKey })
		if at < 0 || !slices.Contains(named, k.ID) {
			continue
		}
		root, err := keys.OpenRootKey(ctx, known[at])
		var key seal.InstanceKey
		if err == nil {
			key, err = root.UnwrapInstance(ctx, k.ID, k.Wrapped)
		}
		if err != nil {
			failed = fmt.Errorf("instance key %s does not open: %w", k.ID, err)
			continue
		}
		opened[k.ID] = key
	}
	named = slices.DeleteFunc(slices.Clone(named), func(id uuid.UUID) bool {
		_, found := opened[id]
		return !found
	})
	switch {
	case len(named) > 0:
	case failed != nil:
		return nil, nil, failed
	default:
		return nil, nil, errors.New("the backup has no instance key that is named: give " +
			"--instance-key with the one that signed when it was made. The comments of the keys " +
			"file tell which were named before")
	}
	return func(id uuid.UUID) (seal.InstanceKey, bool) {
		key, found := opened[id]
		return key, found
	}, named, nil
}

// errAltered is the error for a backup of which these checks failed.
func errAltered(failed []doctor.Check) error {
	var found []string
	for _, c := range failed {
		found = append(found, c.Details...)
	}
	return fmt.Errorf("the backup is not what a Keysake of this instance key wrote: %s",
		strings.Join(found, "; "))
}

// refusal is the error for a backup that does not verify.
func (r *restoration) refusal(
	ctx context.Context, failed []doctor.Check, broken []uuid.UUID,
) error {
	err := errAltered(failed)
	var flags []string
	for u, damage := range store.Users(ctx, r.src) {
		if damage == nil && slices.Contains(broken, u.Owner) {
			name := u.Username
			if vault.CheckRules(u) != nil { // also of one who was deleted
				name = u.Owner.String()
			}
			flags = append(flags, "--skip-user "+name)
		}
	}
	if len(flags) > 0 {
		err = fmt.Errorf("%w. To restore without those users, give %s", err,
			strings.Join(flags, " "))
	}
	return err
}

// checkRules counts who is restored, and reports names that today's rules refuse.
func (r *restoration) checkRules(ctx context.Context) error {
	report := func(what string, id uuid.UUID, err error) {
		if bad, ok := errors.AsType[*vault.Error](err); ok && len(bad.Fields) > 0 {
			err = errors.New(bad.Fields[0].Msg)
		}
		if err != nil {
			r.done.Refused = append(r.done.Refused, fmt.Sprintf("%s %s: %v", what, id, err))
		}
	}
	for u, err := range store.Users(ctx, r.src) {
		if err != nil {
			return err
		}
		if u.DeletedAt.IsZero() {
			r.done.Users++
			report("user", u.Owner, vault.CheckRules(u))
		}
	}
	for s, err := range store.Secrets(ctx, r.src) {
		if err != nil {
			return err
		}
		report("secret", s.ID, vault.CheckSecretRules(s))
	}
	for k, err := range store.APIKeys(ctx, r.src) {
		if err != nil {
			return err
		}
		report("API key", k.ID, vault.CheckAPIKeyRules(k))
	}
	return nil
}
