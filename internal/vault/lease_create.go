package vault

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/keysake/keysake/bundle"
	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/policy"
)

// CreateLease grants the use of some of the caller's secrets, and hands out their values in a
// bundle, a ticket for it, which is never shown again, or placeholders that stand for them at the
// broker. It needs the scope leases:write. NotFound: a secret is not there, is another user's, or
// not of the grant by which the caller acts; then nothing is granted. Denied: the user has too many
// open leases.
func (s *Service) CreateLease(ctx context.Context, who Actor, in LeaseRequest) (Delivered, error) {
	if err := s.authorize(ctx, who, policy.LeaseCreate); err != nil {
		return Delivered{}, err
	}
	if err := JoinInvalid(in.Check(), s.checkRecipient(in.Recipient)); err != nil {
		return Delivered{}, err
	}
	if slices.ContainsFunc(in.Secrets.ids, who.mayNotUse) {
		return Delivered{}, ErrNotFound
	}
	id, err := newID()
	if err != nil {
		return Delivered{}, err
	}
	lease := StoredLease{
		User: who.Owner(), ID: id, APIKey: who.Credential.ID, APIKeyName: who.KeyName,
		By: who.acting(), Delivery: in.Delivery, Limits: in.Limits, Run: in.Run,
	}
	var out Delivered
	switch in.Delivery {
	case ByTicket:
		out, err = s.createTicket(ctx, who, in, lease)
	case ByBroker:
		out, err = s.createBrokered(ctx, who, in, lease)
	case ByBundle:
		out, err = s.createBundle(ctx, who, in, lease)
	}
	if done, ok := answered(err); ok {
		return s.createdAgain(ctx, who, in, done.id, err)
	}
	if err != nil {
		return Delivered{}, err
	}
	s.days.note(out.StoredLease)
	return out, nil
}

// createTicket makes a lease whose values are handed out to whoever redeems its ticket.
func (s *Service) createTicket(
	ctx context.Context, who Actor, in LeaseRequest, lease StoredLease,
) (Delivered, error) {
	key, err := s.instance.first()
	if err != nil {
		return Delivered{}, err
	}
	ticket := ticketOf(key, lease.ID)
	hash, _ := hashToken(ticketPrefix, ticket)
	lease.Ticket = hash[:]
	err = s.update(ctx, inOwnLibrary(who, policy.LeaseCreate), func(c *change) error {
		if err := c.checkRoomForLease(); err != nil {
			return err
		}
		found, err := c.chosenSecrets(ctx, in.Secrets.ids)
		if err != nil {
			return err
		}
		lease.grant(found)
		lease.CreatedAt, lease.ExpiresAt = c.at, in.TTL.end(c.at, who)
		c.answer(lease.ID)
		c.recordSecrets(lease)
		return c.addLease(ctx, lease)
	})
	return Delivered{Lease: Lease{lease, LeaseActive}, Ticket: ticket}, err
}

// checkRoomForLease refuses one more open lease of a user who has too many. The last quarter of a
// ledger is not for leases: who may make those, and nothing else, must not keep the user from
// replacing a value.
func (c *change) checkRoomForLease() error {
	c.ledger.DropEnded(c.at)
	if hasRoomForLease(c.ledger) {
		return nil
	}
	return denied("The user has too many open leases: revoke one first")
}

func hasRoomForLease(l anchor.Ledger) bool {
	return l.Leases.Len() < maxOpenLeases && l.HasRoom()
}

// createBundle makes a lease whose values are sealed to a recipient at once.
func (s *Service) createBundle(
	ctx context.Context, who Actor, in LeaseRequest, lease StoredLease,
) (out Delivered, err error) {
	err = s.retry(lease.User, func() error {
		var taken sealedSecrets
		err := s.view(ctx, who, policy.LeaseCreate, func(p *page) (err error) {
			taken, err = p.take(ctx, in.Secrets.ids)
			return err
		})
		if err != nil {
			return err
		}
		lease.CreatedAt = s.time()
		lease.ExpiresAt = in.TTL.end(lease.CreatedAt, who)
		lease.release(taken.secrets, lease.CreatedAt)
		sealed, err := s.sealBundle(ctx, taken, lease, in.Recipient)
		if err != nil {
			return err
		}
		out = Delivered{Lease: Lease{lease, LeaseRedeemed}, Server: taken.server, Bundle: sealed}
		return s.update(ctx, inOwnLibrary(who, policy.LeaseCreate), func(c *change) error {
			if err := c.stillCurrent(taken); err != nil {
				return err
			}
			c.answer(lease.ID)
			c.recordSecrets(lease)
			return c.addLease(ctx, lease)
		})
	})
	return out, err
}

// sealedSecrets are secrets as they were read to be handed out.
type sealedSecrets struct {
	by      openers
	server  uuid.UUID // the instance key that signs
	secrets []StoredSecret
}

// take reads secrets to be handed out. NotFound: one of them is not there.
func (p *page) take(ctx context.Context, ids []uuid.UUID) (sealedSecrets, error) {
	server, err := p.core.instance.first()
	if err != nil {
		return sealedSecrets{}, err
	}
	found, err := p.rows.SealedSecretsOf(ctx, p.owner, ids)
	if err == nil {
		err = p.checkChosen(ctx, ids, found)
	}
	return sealedSecrets{p.openers(), server.ID(), found}, err
}

// chosenSecrets returns some of the user's secrets without their values, in the order of their
// names. NotFound: one of them is not there.
func (p *page) chosenSecrets(ctx context.Context, ids []uuid.UUID) ([]StoredSecret, error) {
	found, err := p.rows.SecretsOf(ctx, p.owner, ids)
	if err == nil {
		err = p.checkChosen(ctx, ids, found)
	}
	return found, err
}

// checkChosen returns an error for rows that are not those of the secrets that were asked for.
func (p *page) checkChosen(ctx context.Context, ids []uuid.UUID, found []StoredSecret) error {
	wanted := make(map[uuid.UUID]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	for _, s := range found {
		if !wanted[s.ID] {
			return tampered("secret "+s.ID.String(), errIndex)
		}
		delete(wanted, s.ID)
		if err := p.checkSecret(s); err != nil {
			return err
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	if _, err := p.secrets(ctx); err != nil { // is it hidden?
		return err
	}
	return ErrNotFound
}

// stillCurrent returns [errStale] if a secret is not what was read any more: the ledger lists the
// rows that are current, and no other.
func (c *change) stillCurrent(read sealedSecrets) error {
	for _, s := range read.secrets {
		if !c.ledger.Secrets.Has(c.secretEntry(s)) {
			return errStale
		}
	}
	return nil
}

// sealBundle opens secrets and seals them to a recipient. It must not be called in a transaction.
func (s *Service) sealBundle(
	ctx context.Context, from sealedSecrets, lease StoredLease, to Recipient,
) ([]byte, error) {
	payload := bundle.Payload{
		ExpiresAt: lease.ExpiresAt, Secrets: make([]bundle.Secret, len(from.secrets)),
	}
	defer payload.Wipe()
	for i, secret := range from.secrets {
		value, err := s.keys.openValue(ctx, from.by, secret.Binding(), secret.SealedValue)
		if err != nil {
			return nil, err
		}
		payload.Secrets[i] = bundle.Secret{
			ID: secret.ID, Name: secret.Name, Version: secret.Version, Value: value,
		}
	}
	at := bundle.Binding{Server: from.server, Lease: lease.ID, Purpose: bundle.PurposeEnv}
	return bundle.Seal(to.key, at, payload)
}
