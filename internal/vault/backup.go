package vault

import (
	"context"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
)

// What is here is for the operator at the machine itself, and in no API.

// RecordBackup notes in the chain of the instance that a backup is about to be written to that
// file. It comes before the first row is read: what was copied was recorded, also where the copy
// was cut short, and the backup has the note of itself.
func (s *Service) RecordBackup(ctx context.Context, file string) error {
	return s.note(ctx, policy.BackupCreate, file)
}

// RecordRestore notes in the chain of the instance, which goes on where the backup's ends, that the
// database was made from that backup.
func (s *Service) RecordRestore(ctx context.Context, file string) error {
	return s.note(ctx, policy.BackupRestore, file)
}

func (s *Service) note(ctx context.Context, action policy.Action, name string) error {
	in := intent{action: action, library: instanceLibrary()}
	return s.apply(ctx, in, func(c *change) error {
		c.record(audit.Target{Kind: audit.TargetBackup, Name: name})
		return nil
	})
}
