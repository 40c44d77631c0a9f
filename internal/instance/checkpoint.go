package instance

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/privatefile"
	"github.com/keysake/keysake/internal/vault"
)

// A KeptCheckpoint is a checkpoint of the audit log, and the files that it is kept in.
type KeptCheckpoint struct {
	vault.Checkpoint

	NoteFile, LeavesFile string
}

// MakeCheckpoint makes a checkpoint of the audit log and keeps it in the folder of checkpoints,
// below the id of the instance key that signs it: numbers may come again after a restore.
func (i *Instance) MakeCheckpoint(ctx context.Context, cfg config.Config) (KeptCheckpoint, error) {
	var kept KeptCheckpoint
	folder, err := cfg.CheckpointFolder()
	if err != nil {
		return kept, err
	}
	if kept.Checkpoint, err = i.Operator.MakeCheckpoint(ctx); err != nil {
		return kept, fmt.Errorf("make a checkpoint of the audit log: %w", err)
	}
	folder = filepath.Join(folder, kept.InstanceKey.String())
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return kept, err
	}
	name := filepath.Join(folder, fmt.Sprint(kept.Number))
	kept.NoteFile, kept.LeavesFile = name+".note", name+".leaves"
	leaves := audit.AppendLeaves(nil, kept.Leaves)
	if err := privatefile.Create(kept.LeavesFile, privatefile.Content(leaves)); err != nil {
		return kept, err
	}
	return kept, privatefile.Create(kept.NoteFile, privatefile.Content(kept.Note))
}

// AuditHead returns the end of the instance's audit chain.
func (i *Instance) AuditHead(ctx context.Context) (audit.Leaf, error) {
	return i.Operator.InstanceHead(ctx)
}

// LastCheckpoint returns when the last checkpoint was made; the zero time if there is none.
func (i *Instance) LastCheckpoint(ctx context.Context) (time.Time, error) {
	last, err := i.Operator.LastCheckpoint(ctx)
	return last.At, err
}
