package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/wire"
)

func newAPIKeys(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "api-keys",
		Short: "Manage your API keys",
		Long: `Manage the API keys that you and your programs present to Keysake. The scopes of
a key say what it may do: secrets:read, secrets:write, leases:write, keys:write,
audit:read, act:user and admin. A key ends with the one that created it: when that is
revoked, expires or is deleted with its user.`,
		Example: `  keysake api-keys create --name ci --scope secrets:read --expires-in 90d
  keysake api-keys list`,
	}
	group(cmd)
	cmd.AddCommand(newAPIKeysList(a), newAPIKeysCreate(a), newAPIKeysRevoke(a))
	return cmd
}

func newAPIKeysList(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List your API keys",
		Long: `List your API keys, newest first, each by its mask. The one that you are logged in
with has a star. Keys that have ended are left out without --all. Needs the scope
keys:write.`,
		Example: `  keysake api-keys list
  keysake api-keys list --all`,
		Args: noArgs,
	}
	all := cmd.Flags().Bool("all", false, "also keys that were revoked or have expired")
	read := func(ctx context.Context, _ []string) (wire.APIKeyList, error) {
		list, err := fromServer(a, (*client.Client).ListAPIKeys)(ctx, nil)
		if !*all {
			list.APIKeys = slices.DeleteFunc(list.APIKeys, func(k wire.APIKey) bool {
				return !k.Active
			})
			list.Total = len(list.APIKeys)
		}
		return list, err
	}
	return listCommand(a, cmd, read, a.apiKeysGrid)
}

func (a *app) apiKeysGrid(list wire.APIKeyList) grid {
	own := ""
	if l, err := a.currentLogin(); err == nil {
		own = catalog.Mask(l.APIKey)
	}
	rows := grid{{"NAME", "KEY", "ACTIVE", "SCOPES", "LAST USED", "EXPIRES", "ID"}}
	for _, k := range list.APIKeys {
		name := orDash(k.Name)
		if k.MaskedKey == own {
			name += " *"
		}
		rows = append(rows, []string{
			name, k.MaskedKey, yesNo(k.Active), strings.Join(k.AllowedScopes, ","),
			formatTime(k.LastUsedAt), formatTime(k.ExpiresAt), k.ID,
		})
	}
	return rows
}

func newAPIKeysRevoke(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "revoke {NAME|ID | self}",
		Aliases: []string{"rm"},
		Short:   "Revoke an API key",
		Long: `Revoke an API key at once, and every key that was created with it. This cannot be
undone. You are asked to confirm, unless you give --yes; without a terminal,
--yes is required. "keysake api-keys list" shows names and ids. Needs the scope
keys:write and every scope of the key.

With self, revoke the key that you are logged in with. It needs no scope, but
must have been created with --allow-self-revoke.

With --keep-children, the keys that were created with it go on working, as if the
key that created it had created them. Use this to replace a key, logged in with
one that it did not create. After a leak, do not use it: the keys that a thief
created would go on too.`,
		Example: `  keysake api-keys revoke ci
  keysake api-keys revoke 0198c8a6-6f43-7d0e-9d2c-5b1f0a3c7e11 --yes
  keysake api-keys revoke self --yes`,
		Args: exactlyOne("the key's NAME or ID"),
	}
	keep := cmd.Flags().Bool("keep-children", false, "keep the keys that were created with it")
	yes := yesFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *keep && args[0] == "self" {
			return usagef("--keep-children needs a key's ID: a key cannot keep what it created")
		}
		if err := a.canConfirm(*yes); err != nil {
			return err
		}
		c, err := a.connect()
		if err != nil {
			return err
		}
		id, err := a.keyToRevoke(cmd.Context(), c, args[0], *yes)
		if err != nil {
			return err
		}
		switch {
		case id == "self":
			err = c.RevokeSelf(cmd.Context())
		case *keep:
			err = c.RevokeAPIKeyOnly(cmd.Context(), id)
		default:
			err = c.RevokeAPIKey(cmd.Context(), id)
		}
		if err != nil {
			return err
		}
		a.infof("Revoked.")
		return nil
	}
	return cmd
}

// keyToRevoke returns the id of the key with this NAME or ID, or self, once that is confirmed.
func (a *app) keyToRevoke(
	ctx context.Context, c *client.Client, ref string, yes bool,
) (string, error) {
	if ref == "self" {
		return ref, a.confirm(ctx, yes, "Revoke the API key that you are logged in with?")
	}
	if yes && uuidPattern.MatchString(ref) {
		return ref, nil
	}
	k, err := findAPIKey(ctx, c, ref)
	if err != nil {
		return "", err
	}
	return k.ID, a.confirm(ctx, yes, fmt.Sprintf(
		"Revoke %s (%s) and every key that was created with it?", orDash(k.Name), k.MaskedKey))
}

// findAPIKey returns the key with this NAME or ID. Of keys with one name, only one may be active.
func findAPIKey(ctx context.Context, c *client.Client, ref string) (wire.APIKey, error) {
	list, err := c.ListAPIKeys(ctx)
	if err != nil {
		return wire.APIKey{}, err
	}
	return pick(list.APIKeys, ref, "API key", "api-keys list", func(k wire.APIKey) (string, bool) {
		return k.ID, k.Name == ref && k.Active
	})
}
