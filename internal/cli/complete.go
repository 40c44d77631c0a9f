package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/keyring"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/plaintext"
)

// completionTime is how long a shell waits for the server. Without an answer nothing is proposed.
const completionTime = time.Second

// A completion returns what a word may be.
type completion func(ctx context.Context, c *client.Client) ([]string, error)

// complete lets the shell complete the names of secrets, providers, scopes and profiles in a tree
// of commands.
func (a *app) complete(cmd *cobra.Command) {
	if strings.Contains(cmd.Use, " NAME|ID") && cmd.Parent() != nil &&
		cmd.Parent().Name() == "secrets" {
		cmd.ValidArgsFunction = a.namesFrom(secretNames, 1)
	}
	for flag, names := range map[string]completion{
		"secret": secretNames, "preset": providerNames, "provider": providerNames,
	} {
		if cmd.Flags().Lookup(flag) != nil {
			_ = cmd.RegisterFlagCompletionFunc(flag, a.namesFrom(names, 0))
		}
	}
	for flag, names := range map[string]func() []string{
		"scope": scopeNames, "profile": a.profiles,
	} {
		if cmd.Flags().Lookup(flag) != nil || cmd.PersistentFlags().Lookup(flag) != nil {
			_ = cmd.RegisterFlagCompletionFunc(flag,
				func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
					return names(), cobra.ShellCompDirectiveNoFileComp
				})
		}
	}
	for _, sub := range cmd.Commands() {
		a.complete(sub)
	}
}

// namesFrom returns what the shell asks for names, of as many arguments as atMost says; 0 is for a
// flag. It is silent when there is no server.
func (a *app) namesFrom(names completion, atMost int) cobra.CompletionFunc {
	return func(
		cmd *cobra.Command, args []string, begin string,
	) ([]string, cobra.ShellCompDirective) {
		if atMost > 0 && len(args) >= atMost {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
		defer cancel()
		a.fromKeyring = func(name string) (plaintext.Value, error) { // which shows no window
			return keyring.Keyring{Env: a.getenv}.Get(ctx, name)
		}
		c, err := a.connect()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		all, err := names(ctx, c)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return slices.DeleteFunc(all, func(name string) bool {
			return !strings.HasPrefix(name, begin) || escape(name) != name
		}), cobra.ShellCompDirectiveNoFileComp
	}
}

func secretNames(ctx context.Context, c *client.Client) (names []string, err error) {
	list, err := c.ListSecrets(ctx)
	for _, s := range list.Secrets {
		names = append(names, s.Name)
	}
	return names, err
}

func providerNames(ctx context.Context, c *client.Client) (names []string, err error) {
	list, err := c.ListPresets(ctx)
	for _, p := range list.Presets {
		names = append(names, p.Provider)
	}
	return names, err
}

func scopeNames() (names []string) {
	for _, s := range policy.AllScopes() {
		names = append(names, string(s))
	}
	return names
}
