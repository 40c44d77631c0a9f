package cli

import (
	"context"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/wire"
)

// A secretListing is a list of secrets with what is known of their use and their health, which its
// JSON leaves out.
type secretListing struct {
	wire.SecretList

	lastUsed map[string]*wire.Time // by ID
	health   map[string]string     // by ID, for people; without those of which nothing is known
}

func (a *app) listSecrets(ctx context.Context, _ []string) (secretListing, error) {
	c, err := a.connect()
	if err != nil {
		return secretListing{}, err
	}
	list, err := c.ListSecrets(ctx)
	if err != nil || len(list.Secrets) == 0 {
		return secretListing{SecretList: list}, err
	}
	uses, err := c.SecretUsages(ctx)
	if err != nil {
		return secretListing{}, err
	}
	out := secretListing{list, map[string]*wire.Time{}, map[string]string{}}
	for _, u := range uses.Usage {
		out.lastUsed[u.SecretID] = u.LastUsedAt
	}
	known, err := c.SecretHealths(ctx)
	for _, h := range known.Health {
		if text := a.healthText(h); text != "" {
			out.health[h.SecretID] = text
		}
	}
	return out, err
}

// secretsGrid returns the secrets as a grid. If there are none, it says how to create one.
func (a *app) secretsGrid(list secretListing) grid {
	if len(list.Secrets) == 0 {
		a.infof(`You have no secrets yet. Create one with "keysake secrets set --preset openai".`)
		return nil
	}
	rows := grid{{"NAME", "PROVIDER", "VALUE", "LAST USED"}}
	if len(list.health) > 0 {
		rows[0] = append(rows[0], "HEALTH")
	}
	rows[0] = append(rows[0], "ID")
	for _, s := range list.Secrets {
		used := "never"
		if at := list.lastUsed[s.ID]; at != nil {
			used = formatTime(at)
		}
		row := []string{s.Name, orDash(providerOf(s)), s.MaskedValue, used}
		if len(list.health) > 0 {
			row = append(row, orDash(list.health[s.ID]))
		}
		rows = append(rows, append(row, s.ID))
	}
	return rows
}

// A shownSecret is a secret with what is known of its health, which its JSON leaves out.
type shownSecret struct {
	wire.Secret

	health *wire.SecretHealth
}

func showSecret(ctx context.Context, c *client.Client, s wire.Secret) (shownSecret, error) {
	h, err := c.SecretHealth(ctx, s.ID)
	return shownSecret{s, &h}, err
}

// shownGrid is that of the secret, with its health before the id.
func (a *app) shownGrid(s shownSecret) grid {
	rows := secretGrid(s.Secret)
	last := len(rows) - 1
	id := rows[last]
	rows = rows[:last]
	if text := a.healthText(*s.health); text != "" {
		rows = append(rows, []string{"health", text})
	}
	if at := s.health.WorkedAt; at != nil {
		rows = append(rows, []string{"last worked", formatTime(at)})
	}
	if at := s.health.ExpiresAt; at != nil {
		rows = append(rows, []string{"expires", formatTime(at)})
	}
	if at := s.health.KeyExpiresAt; at != nil {
		rows = append(rows, []string{"provider says", "expires " + formatTime(at)})
	}
	return append(rows, id)
}
