package vault

import (
	"context"
	"encoding/binary"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/plaintext"
)

// The token's functions, for their own tests.
var (
	NewToken  = func() plaintext.Value { return newToken(tokenPrefix) }
	HashToken = func(t plaintext.Value) (TokenHash, bool) { return hashToken(tokenPrefix, t) }
)

// Plain returns what was made a value, to compare with.
func (v Value) Plain() plaintext.Value { return v.plain }

// KeepEvents bounds how many events wait.
func (s *Service) KeepEvents(n int) { s.webhook.most = n }

// ForgetRows forgets what was verified, as memory that is full does.
func (s *Service) ForgetRows() { s.verified.purge() }

// RotateInBatchesOf makes the batches of a rotation small, for tests that stop between two.
func (o *Operator) RotateInBatchesOf(n int) { o.batch = n }

// LedgerOf returns the ledger of a user, also of one who was deleted, and whose chain it ends; nil
// stands for the instance.
func (o *Operator) LedgerOf(
	ctx context.Context, user uuid.UUID,
) (l anchor.Ledger, owner uuid.UUID, err error) {
	err = o.view(ctx, func(r *snapshot) error {
		read := r.rows.InstanceLedger
		if user != uuid.Nil {
			read = func(ctx context.Context) (StoredLedger, error) {
				return r.rows.Ledger(ctx, user)
			}
		}
		stored, err := read(ctx)
		if err != nil {
			return err
		}
		p, err := r.verify(stored, user)
		if err == nil {
			l, owner = p.ledger, p.owner
		}
		return err
	})
	return l, owner, err
}

// AddAPIKeys stores keys in one change, where creating them would take a commit for each.
func (s *Service) AddAPIKeys(ctx context.Context, who Actor, keys []APIKey) error {
	return s.update(ctx, inOwnLibrary(who, policy.APIKeyCreate), func(c *change) error {
		for _, k := range keys {
			if err := c.addAPIKey(ctx, k); err != nil {
				return err
			}
		}
		return nil
	})
}

// EndAPIKeys revokes keys in one change.
func (s *Service) EndAPIKeys(ctx context.Context, who Actor, keys []APIKey) error {
	return s.update(ctx, inOwnLibrary(who, policy.APIKeyRevoke), func(c *change) error {
		for _, k := range keys {
			if err := c.endAPIKey(ctx, k); err != nil {
				return err
			}
		}
		return nil
	})
}

// HasRoomForLease reports whether a user with this ledger may have one more open lease.
func HasRoomForLease(l anchor.Ledger) bool { return hasRoomForLease(l) }

// FullLedger returns a ledger with as much as a user may have under limits.
func FullLedger(l Limits) (full anchor.Ledger) {
	fill := func(s *anchor.Set, n, width int) {
		for i := range n {
			entry := make([]byte, width)
			binary.BigEndian.PutUint32(entry, uint32(i))
			s.Add(entry)
		}
	}
	full.User, full.State = uuid.New(), anchor.Active
	fill(&full.Secrets, l.secrets, anchor.VersionEntry)
	fill(&full.Versions, l.secrets*(l.versions-1), anchor.VersionEntry)
	fill(&full.APIKeys, maxActiveKeys+maxInactiveKeys, anchor.KeyEntry)
	fill(&full.Leases, maxOpenLeases, anchor.LeaseEntry)
	return full
}

// FillInstance lists users as deleted, until there is no room for people who join.
func (o *Operator) FillInstance(ctx context.Context) error {
	var full anchor.Ledger // before the transaction, in which nothing may take long
	for n := uint64(0); n%100 > 0 || full.HasRoom(); n++ {
		entry := make([]byte, anchor.LeaseEntry)
		binary.BigEndian.PutUint64(entry, n)
		full.Leases.Add(entry)
	}
	in := intent{action: policy.UserDelete, library: instanceLibrary()}
	return o.apply(ctx, in, func(c *change) error {
		c.ledger.Leases = full.Leases
		return nil
	})
}
