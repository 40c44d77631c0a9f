package server

import (
	"context"
	"time"

	"github.com/keysake/keysake/internal/instance"
)

// How long after its start a server makes a checkpoint that is due, and how long after a failure it
// tries again.
const (
	checkpointDelay = time.Minute
	checkpointRetry = 10 * time.Minute
)

// logAuditHead logs the end of the instance's audit chain. A log is kept where the database is not:
// later it shows whether the chain still has this entry.
func (s *server) logAuditHead(ctx context.Context) {
	// also while the server stops
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
	defer cancel()
	head, err := s.instance.AuditHead(ctx)
	if err != nil {
		s.log.WarnContext(ctx, "the audit log cannot be read", "cause", err)
		return
	}
	s.log.InfoContext(ctx, "audit head",
		"chain", head.Owner, "number", head.Seq, "hash", head.Hash)
}

// scheduleCheckpoint decides when the next checkpoint is due: never for a server that cannot record
// it.
func (s *server) scheduleCheckpoint(ctx context.Context) {
	if s.instance.Store.ReadOnly() {
		return
	}
	last, err := s.instance.LastCheckpoint(ctx)
	if err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "the last checkpoint of the audit log is unknown", "cause", err)
	}
	s.checkpointDue = nextCheckpoint(last, time.Now(), s.cfg.CheckpointEvery)
}

// nextCheckpoint returns when a server makes the next checkpoint; the zero time for never.
func nextCheckpoint(last, now time.Time, every time.Duration) time.Time {
	if every == 0 {
		return time.Time{}
	}
	next, soonest := last.Add(every), now.Add(checkpointDelay)
	if next.Before(soonest) || last.After(now) { // a last one in the future is of another clock
		return soonest
	}
	return next
}

// makeCheckpoint makes a checkpoint if one is due. A failure is logged, and tried again.
func (s *server) makeCheckpoint(ctx context.Context) {
	now := time.Now()
	if s.checkpointDue.IsZero() || now.Before(s.checkpointDue) {
		return
	}
	made, err := s.instance.MakeCheckpoint(ctx, s.cfg)
	if err != nil {
		s.checkpointDue = now.Add(checkpointRetry)
		s.log.WarnContext(ctx, "no checkpoint of the audit log was made", "cause", err)
		return
	}
	s.checkpointDue = nextCheckpoint(made.At, time.Now(), s.cfg.CheckpointEvery)
	for _, user := range made.Unproved() {
		s.log.WarnContext(ctx, "the checkpoint proves nothing of a user whose ledger was changed",
			"number", made.Number, "user", user)
	}
	s.log.InfoContext(ctx, "audit checkpoint", "number", made.Number, "hash", made.Hash(),
		"chains", made.Chains, "root", made.Root, "file", made.NoteFile)
	s.logAuditHead(ctx)
}

// watchAudit adds metrics of the audit log, and of the ledger of the instance, where its chain
// ends. A hash cannot be one: it is in the log.
func (m *metrics) watchAudit(i *instance.Instance) {
	m.gauge("keysake_audit_instance_entries",
		"Number of the last entry in the instance's audit chain; -1 if it cannot be read.",
		func(ctx context.Context) (float64, error) {
			head, err := i.AuditHead(ctx)
			return float64(head.Seq), err
		})
	m.gauge("keysake_instance_ledger_fill_ratio",
		"How full the instance's ledger is, which lists who has a user; from 0.75 on nobody new "+
			"becomes one by signing in. -1 if it cannot be read.", i.Vault.InstanceFill)
	m.gauge("keysake_audit_checkpoint_timestamp_seconds",
		"When the last checkpoint of the audit log was made; 0 for never, -1 if unknown.",
		func(ctx context.Context) (float64, error) {
			last, err := i.LastCheckpoint(ctx)
			if last.IsZero() {
				return 0, err
			}
			return float64(last.Unix()), err
		})
}
