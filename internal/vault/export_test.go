package vault

import "github.com/keysake/keysake/plaintext"

// The token's functions, for their own tests.
var (
	NewToken  = newToken
	HashToken = hashToken
)

// Plain returns what was made a value, to compare with.
func (v Value) Plain() plaintext.Value { return v.plain }

// RotateInBatchesOf makes the batches of a rotation small, for tests that stop between two.
func (o *Operator) RotateInBatchesOf(n int) { o.batch = n }
