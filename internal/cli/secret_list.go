package cli

import (
	"context"

	"github.com/keysake/keysake/wire"
)

// A secretListing is a list of secrets with what is known of their use, which its JSON leaves out.
type secretListing struct {
	wire.SecretList

	lastUsed map[string]*wire.Time // by ID
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
	out := secretListing{list, map[string]*wire.Time{}}
	for _, u := range uses.Usage {
		out.lastUsed[u.SecretID] = u.LastUsedAt
	}
	return out, err
}

// secretsGrid returns the secrets as a grid. If there are none, it says how to create one.
func (a *app) secretsGrid(list secretListing) grid {
	if len(list.Secrets) == 0 {
		a.infof(`You have no secrets yet. Create one with "keysake secrets set --preset openai".`)
		return nil
	}
	rows := grid{{"NAME", "PROVIDER", "VALUE", "LAST USED", "ID"}}
	for _, s := range list.Secrets {
		used := "never"
		if at := list.lastUsed[s.ID]; at != nil {
			used = formatTime(at)
		}
		rows = append(rows, []string{
			s.Name, orDash(providerOf(s)), s.MaskedValue, used, s.ID,
		})
	}
	return rows
}
