package maintenance

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/vault"
)

// rootKeys opens every root key that is still needed.
func (r *reporter) rootKeys(
	ctx context.Context, name string, keys []vault.StoredRootKey,
) map[uuid.UUID]seal.RootKey {
	needed := r.roots.OpenRequired(ctx, keys)
	open, err := instance.ByID(needed)
	primary, primaryURL, old := 0, "", []string(nil)
	for _, o := range needed {
		if o.State == "primary" {
			primary++
			primaryURL = o.URL
		} else {
			old = append(
				old,
				fmt.Sprintf(
					"root key %s at %s still wraps %d owner keys", o.ID, o.URL, o.OwnerKeys,
				),
			)
		}
	}
	switch {
	case err != nil:
		r.fail(
			name,
			"put the key back, or say with --root-key where it is; without it what it wraps is lost",
			"%v", err,
		)
	case primary != 1:
		r.fail(name, restoreBackup, "there are %d primary root keys, not one", primary)
	case len(old) > 0:
		r.add(doctor.Check{
			Name:    name,
			Status:  doctor.Warning,
			Text:    "all that are needed open; some were replaced and are needed still",
			Details: old,
			Advice:  "finish the rotation: keysake root-key rotate --to " + primaryURL,
		})
	default:
		r.ok(name, "the one that is needed opens: %s", needed[0].FoundAt)
	}
	return open
}
