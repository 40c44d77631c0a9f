// Package vaulttest opens secrets for tests, the way that a program gets them: with a lease.
package vaulttest

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/keysake/keysake/bundle"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// OpenSecret returns the value of one of the caller's secrets, out of the bundle of a new lease. It
// needs the scope leases:write.
func OpenSecret(
	ctx context.Context, s *vault.Service, who vault.Actor, id uuid.UUID,
) (plaintext.Value, error) {
	k, err := bundle.NewKey(bundle.X25519)
	if err != nil {
		return plaintext.Value{}, err
	}
	to, err := vault.NewRecipient(k.Recipient().String())
	if err != nil {
		return plaintext.Value{}, err
	}
	ids, err := vault.NewSecretIDs([]string{id.String()})
	if err != nil {
		return plaintext.Value{}, err
	}
	made, err := s.CreateLease(ctx, who, vault.LeaseRequest{
		Secrets: ids, Delivery: vault.ByBundle, Recipient: to,
	})
	if err != nil {
		if len(made.Bundle) > 0 {
			panic("vaulttest: an error, and yet a bundle")
		}
		return plaintext.Value{}, err
	}
	at := bundle.Binding{Server: made.Server, Lease: made.ID, Purpose: bundle.PurposeEnv}
	payload, err := bundle.Open(k, at, made.Bundle)
	if err != nil {
		return plaintext.Value{}, err
	}
	if len(payload.Secrets) != 1 || payload.Secrets[0].ID != id {
		return plaintext.Value{}, errors.New("vaulttest: the bundle has another secret")
	}
	return payload.Secrets[0].Value, nil
}
