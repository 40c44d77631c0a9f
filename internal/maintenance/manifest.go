package maintenance

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/backup"
)

// verifyManifest returns the checkpoint of a backup's manifest, which one of the named instance
// keys signed and which the backup records where the manifest says. The date of the backup is that
// of the checkpoint: so nobody without an instance key gives a backup another date.
func verifyManifest(
	ctx context.Context, contents *backup.File, named []uuid.UUID, keys anchor.Keys,
) (audit.Checkpoint, error) {
	m := contents.Manifest()
	if m.Audit == nil {
		return audit.Checkpoint{}, errors.New("it does not say where the audit log ended")
	}
	var public []string
	for _, id := range named {
		signer, found := keys(id)
		if !found {
			continue
		}
		of, _ := signer.Signer().Public().(ed25519.PublicKey)
		key, err := audit.VerifierKey(id, of)
		if err != nil {
			return audit.Checkpoint{}, err
		}
		public = append(public, key)
	}
	if len(public) == 0 {
		return audit.Checkpoint{}, errors.New(
			"no instance key is open that could have signed its checkpoint")
	}
	c, err := audit.OpenCheckpoint([]byte(m.Audit.Checkpoint), public...)
	if err != nil {
		return c, err
	}
	if !m.CreatedAt.Equal(c.At) {
		return c, fmt.Errorf("its date was changed: the backup was made at %s",
			c.At.Format(time.RFC3339))
	}
	for e, err := range auditEntries(ctx, contents) {
		if err != nil {
			return c, err
		}
		if e.Owner.String() == m.Audit.Chain && e.Seq == m.Audit.Number &&
			backup.Digest(e.Hash) == m.Audit.Hash && e.Target.Kind == audit.TargetCheckpoint &&
			e.Target.Version == c.Number && e.Target.Name == c.Hash().String() {
			return c, nil
		}
	}
	return c, errors.New("the audit log of the backup does not have the entry that it names, " +
		"of its checkpoint")
}
