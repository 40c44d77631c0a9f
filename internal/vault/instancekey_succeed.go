package vault

import (
	"context"
	"crypto/ed25519"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/seal"
)

// succeed has the key that signs the instance's ledger vouch for the public key of the next one. It
// comes in the change from which on the next one signs, checkpoints too.
func (c *change) succeed(ctx context.Context, to seal.InstanceKey) error {
	last, err := c.lastCheckpoint(ctx)
	if err != nil {
		return err
	}
	s := audit.Succession{From: c.signer.ID(), At: c.at, Last: last.Target.Version}
	if s.Last > 0 {
		if err := s.Hash.UnmarshalText([]byte(last.Target.Name)); err != nil {
			return tampered("checkpoint in the audit chain of the instance", err)
		}
	}
	if s.Key, err = verifierKey(to); err != nil {
		return err
	}
	signed, err := s.Sign(c.signer.Signer())
	if err != nil {
		return err
	}
	list, err := c.successions(ctx, c.signer.ID())
	if err != nil {
		return err
	}
	return c.tx.SetSuccessions(ctx, to.ID(), audit.AppendSuccession(list, signed))
}

// successions returns those that lead to an instance key. Nothing vouches for them here.
func (s *snapshot) successions(ctx context.Context, key uuid.UUID) ([]byte, error) {
	stored, err := s.rows.InstanceKeys(ctx)
	for _, k := range stored {
		if k.ID == key {
			return k.Successions, err
		}
	}
	return nil, err
}

// verifierKey returns the public key of an instance key's checkpoints.
func verifierKey(key seal.InstanceKey) (string, error) {
	of, _ := key.Signer().Public().(ed25519.PublicKey)
	return audit.VerifierKey(key.ID(), of)
}
