package vault

import (
	"context"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/plaintext"
)

// The token's functions, for their own tests.
var (
	NewToken  = newToken
	HashToken = hashToken
)

// Plain returns what was made a value, to compare with.
func (v Value) Plain() plaintext.Value { return v.plain }

// RotateInBatchesOf makes the batches of a rotation small, for tests that stop between two.
func (o *Operator) RotateInBatchesOf(n int) { o.batch = n }

// UseAll is a change that uses several secrets, as a lease of them does.
func (s *Service) UseAll(ctx context.Context, who Actor, targets []audit.Target) error {
	return s.update(ctx, inOwnLibrary(who, policy.SecretOpen), func(c *change) error {
		for _, t := range targets {
			c.record(t)
		}
		return nil
	})
}
