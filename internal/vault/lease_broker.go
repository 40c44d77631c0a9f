package vault

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/seal"
)

// createBrokered makes a lease whose values are put on requests by the broker, and hands out what
// stands for them. Invalid: no preset says where a secret may be sent.
func (s *Service) createBrokered(
	ctx context.Context, who Actor, in LeaseRequest, lease StoredLease,
) (out Delivered, err error) {
	key, err := s.instance.first()
	if err != nil {
		return Delivered{}, err
	}
	err = s.update(ctx, inOwnLibrary(who, policy.LeaseCreate), func(c *change) error {
		if err := c.checkRoomForLease(); err != nil {
			return err
		}
		found, err := c.chosenSecrets(ctx, in.Secrets.ids)
		if err != nil {
			return err
		}
		err = JoinInvalid(s.checkBrokered(found, in.Secrets), s.checkParams(found, in.Limits))
		if err != nil {
			return err
		}
		lease.grant(found)
		out.Placeholders = s.placeholders(key, lease, found)
		for i, p := range out.Placeholders {
			hash := sha256.Sum256(p.Value.Reveal())
			lease.Secrets[i].Placeholder = hash[:]
		}
		lease.CreatedAt, lease.ExpiresAt = c.at, in.TTL.end(c.at, who)
		c.answer(lease.ID)
		c.recordSecrets(lease)
		return c.addLease(ctx, lease)
	})
	out.Lease = Lease{lease, LeaseActive}
	return out, err
}

// checkBrokered refuses secrets of which the catalog does not say where they may be sent.
func (s *Service) checkBrokered(found []StoredSecret, asked SecretIDs) error {
	var wrong []Field
	for _, secret := range found {
		entry, known := s.catalog.Entry(secret.Provider)
		if known && len(entry.Attach) > 0 {
			continue
		}
		for i, id := range asked.ids {
			if id == secret.ID {
				wrong = append(wrong, Field{
					fmt.Sprintf("secret_ids.%d", i), GoodValue,
					"No preset says where this secret may be sent: lease it as a bundle",
				})
			}
		}
	}
	if len(wrong) > 0 {
		return invalid(wrong...)
	}
	return nil
}

// checkParams refuses params that no host of the secrets has, and values that the catalog does not
// allow: no host leaves the domain of its provider. A host that needs one must have it.
func (s *Service) checkParams(found []StoredSecret, l BrokerLimits) error {
	var wrong []Field
	known := map[string]bool{}
	for _, secret := range found {
		entry, _ := s.catalog.Entry(secret.Provider)
		for name, value := range l.Params {
			p, has := entry.HostParam(name)
			if has && !p.Accepts(value) {
				wrong = append(wrong, Field{
					"broker.params", GoodValue,
					"No host of " + entry.Name + " can have this " + name,
				})
			}
			known[name] = known[name] || has
		}
		for _, name := range entry.NeededParams() {
			if l.Params[name] == "" {
				wrong = append(wrong, Field{
					"broker.params", GoodValue,
					"The hosts of " + entry.Name + " need the parameter " + name,
				})
			}
		}
	}
	for name := range l.Params {
		if !known[name] {
			wrong = append(wrong, Field{
				"broker.params", GoodValue,
				"No host of these secrets has one of the parameters",
			})
		}
	}
	if len(wrong) > 0 {
		return invalid(wrong...)
	}
	return nil
}

// placeholders returns what stands for the secrets of a lease.
func (s *Service) placeholders(
	key seal.InstanceKey, lease StoredLease, secrets []StoredSecret,
) []Placeholder {
	all := make([]Placeholder, len(secrets))
	for i, secret := range secrets {
		entry, _ := s.catalog.Entry(secret.Provider)
		all[i] = Placeholder{
			Secret: secret.ID, Name: secret.Name, Provider: secret.Provider,
			Value: placeholderOf(key, entry.Client.Placeholder, lease.ID, secret.ID),
		}
	}
	return all
}

// brokeredAgain returns the placeholders of a lease that is open, as ticketAgain returns a ticket.
func (s *Service) brokeredAgain(
	ctx context.Context, who Actor, lease Lease, why error,
) (Delivered, error) {
	if lease.State != LeaseActive || !lease.isOf(who) {
		return Delivered{}, goneSince(why)
	}
	var found []StoredSecret
	err := s.view(ctx, who, policy.LeaseCreate, func(p *page) (err error) {
		found, err = p.chosenSecrets(ctx, lease.secretIDs())
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return Delivered{}, goneSince(why)
	}
	if err != nil {
		return Delivered{}, err
	}
	for _, key := range s.instance.all() {
		all := s.placeholders(key, lease.StoredLease, found)
		if lease.hasPlaceholders(all) {
			return Delivered{Lease: lease, Placeholders: all}, nil
		}
	}
	return Delivered{}, goneSince(why)
}

// hasPlaceholders reports whether these are what stands for the secrets of the lease.
func (l StoredLease) hasPlaceholders(all []Placeholder) bool {
	hashes := map[uuid.UUID]string{}
	for _, s := range l.Secrets {
		hashes[s.ID] = string(s.Placeholder)
	}
	for _, p := range all {
		hash := sha256.Sum256(p.Value.Reveal())
		if hashes[p.Secret] != string(hash[:]) {
			return false
		}
	}
	return len(all) == len(l.Secrets)
}
