package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/wire"
)

func newAPIKeys(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "api-keys",
		Short: "Manage your API keys",
		Long: `Manage the API keys that you and your programs present to Keysake. The scopes of
a key say what it may do: secrets:read, secrets:write, leases:write, keys:write,
audit:read and admin. A key ends with the one that created it: when that is
revoked, expires or is deleted with its user.`,
		Example: `  keysake api-keys create --name ci --scope secrets:read --expires-in 90d
  keysake api-keys list`,
	}
	group(cmd)
	cmd.AddCommand(newAPIKeysList(a), newAPIKeysCreate(a), newAPIKeysRevoke(a))
	return cmd
}

func newAPIKeysList(a *app) *cobra.Command {
	return listCommand(a, &cobra.Command{
		Use:     "list",
		Short:   "List your API keys",
		Long:    "List your API keys, newest first, each by its mask. Needs the scope keys:write.",
		Example: "  keysake api-keys list",
		Args:    noArgs,
	}, fromServer(a, (*client.Client).ListAPIKeys), apiKeysGrid)
}

func apiKeysGrid(list wire.APIKeyList) grid {
	rows := grid{{"NAME", "KEY", "ACTIVE", "SCOPES", "LAST USED", "EXPIRES", "ID"}}
	for _, k := range list.APIKeys {
		rows = append(rows, []string{
			orDash(k.Name), k.MaskedKey, yesNo(k.Active), strings.Join(k.AllowedScopes, ","),
			formatTime(k.LastUsedAt), formatTime(k.ExpiresAt), k.ID,
		})
	}
	return rows
}

func newAPIKeysRevoke(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revoke {ID | self}",
		Short: "Revoke an API key",
		Long: `Revoke an API key at once, and every key that was created with it. This cannot be
undone. "keysake api-keys list" shows the ids. Needs the scope keys:write and
every scope of the key.

With self, revoke the key that you are logged in with. It needs no scope, but
must have been created with --allow-self-revoke.

With --keep-children, the keys that were created with it go on working, as if the
key that created it had created them. Use this to replace a key, logged in with
one that it did not create. After a leak, do not use it: the keys that a thief
created would go on too.`,
		Example: `  keysake api-keys revoke 0198c8a6-6f43-7d0e-9d2c-5b1f0a3c7e11
  keysake api-keys revoke self`,
		Args: exactlyOne("the key's ID"),
	}
	keep := cmd.Flags().Bool("keep-children", false, "keep the keys that were created with it")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *keep && args[0] == "self" {
			return usagef("--keep-children needs a key's ID: a key cannot keep what it created")
		}
		c, err := a.connect()
		if err != nil {
			return err
		}
		switch {
		case args[0] == "self":
			err = c.RevokeSelf(cmd.Context())
		case *keep:
			err = c.RevokeAPIKeyOnly(cmd.Context(), args[0])
		default:
			err = c.RevokeAPIKey(cmd.Context(), args[0])
		}
		if err != nil {
			return err
		}
		a.infof("Revoked.")
		return nil
	}
	return cmd
}
