package cli

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/wire"
)

// A probed is what the provider of a secret said of it.
type probed struct {
	Name string `json:"name"`

	wire.SecretHealth
}

func newSecretsProbe(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "probe {NAME|ID | --all}",
		Short: "Ask a provider whether a key works",
		Long: `Ask the provider of a secret whether its value works: one request that costs and
changes nothing, from the server to the provider's own address. The outcome is
one of valid, valid_limited (not for everything), blocked (by billing or policy),
invalid, rate_limited and indeterminate (the answer does not tell, or there is no
check). An invalid key ends the command with 1. Needs the scope leases:write, and
secrets:read to find a NAME.`,
		Example: `  keysake secrets probe OPENAI_API_KEY
  keysake secrets probe --all`,
		Args: cobra.MaximumNArgs(1),
	}
	all := cmd.Flags().Bool("all", false, "ask about every secret that has a provider")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *all == (len(args) == 1) {
			return usagef("which secret? Name one, or give --all")
		}
		c, err := a.connect()
		if err != nil {
			return err
		}
		if *all {
			return a.probeAll(cmd.Context(), c, *asJSON)
		}
		s, err := findSecret(cmd.Context(), c, args[0])
		if err != nil {
			return err
		}
		return a.probe(cmd.Context(), c, s, *asJSON)
	}
	return cmd
}

var errInvalidKey = errors.New("the provider says that the key is not valid")

func isInvalid(p probed) bool { return p.outcome() == wire.OutcomeInvalid }

func (p probed) outcome() string {
	if p.Outcome == nil {
		return ""
	}
	return *p.Outcome
}

// probe asks about one secret, and shows what the provider said.
func (a *app) probe(ctx context.Context, c *client.Client, s wire.Secret, asJSON bool) error {
	h, err := c.ProbeSecret(ctx, s.ID)
	if err != nil {
		return err
	}
	p := probed{s.Name, h}
	if err := show(a, p, asJSON, probedGrid); err != nil {
		return err
	}
	if isInvalid(p) {
		return errInvalidKey
	}
	return nil
}

// probeAll asks about the secrets with a provider, one after the other. One whose provider is away
// does not stop the others.
func (a *app) probeAll(ctx context.Context, c *client.Client, asJSON bool) error {
	list, err := c.ListSecrets(ctx)
	if err != nil {
		return err
	}
	all, away := []probed{}, 0
	for _, s := range list.Secrets {
		if s.Provider == nil {
			continue
		}
		h, err := c.ProbeSecret(ctx, s.ID)
		if hasStatus(err, http.StatusBadGateway) || hasStatus(err, http.StatusGatewayTimeout) {
			a.infof("%s: %v", s.Name, err)
			away++
			continue
		}
		if err != nil {
			return err
		}
		all = append(all, probed{s.Name, h})
	}
	if err := show(a, all, asJSON, probedRows); err != nil {
		return err
	}
	switch {
	case slices.ContainsFunc(all, isInvalid):
		return errInvalidKey
	case away > 0:
		return errors.New("some providers could not be asked: try again later")
	}
	return nil
}

func probedGrid(p probed) grid {
	rows := grid{
		{"name", p.Name},
		{"outcome", orDash(p.outcome())},
		{"note", orDash(textOf(p.Note))},
		{"expires", formatTime(p.KeyExpiresAt)},
	}
	for _, name := range slices.Sorted(maps.Keys(p.Facts)) {
		rows = append(rows, []string{strings.ReplaceAll(name, "_", " "), p.Facts[name]})
	}
	return rows
}

func probedRows(all []probed) grid {
	rows := grid{{"NAME", "OUTCOME", "NOTE", "ACCOUNT", "EXPIRES"}}
	for _, p := range all {
		account := p.Facts["account"]
		if account == "" {
			account = p.Facts["organization"]
		}
		rows = append(rows, []string{
			p.Name, orDash(p.outcome()), orDash(textOf(p.Note)), orDash(account),
			formatTime(p.KeyExpiresAt),
		})
	}
	return rows
}

func textOf(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// probeFlag adds the flag by which a command that stores a value has it checked.
func probeFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("probe", false,
		"ask the provider whether the value works, after it is stored")
}

// probeStored asks about a secret that was just stored, if that is wanted. Whatever the provider
// says, the value stays stored.
func (a *app) probeStored(
	ctx context.Context, c *client.Client, s wire.Secret, wanted bool,
) error {
	if !wanted {
		return nil
	}
	h, err := c.ProbeSecret(ctx, s.ID)
	if err != nil {
		return err
	}
	p := probed{s.Name, h}
	line := p.outcome()
	if note := textOf(p.Note); note != "" {
		line += ": " + note
	}
	a.infof("Probe: %s.", line)
	if isInvalid(p) {
		return errInvalidKey
	}
	return nil
}
