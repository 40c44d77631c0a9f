package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/server"
)

const serveLong = `Run the server until an interrupt or SIGTERM. Then it finishes the requests that
it has, writes everything to disk, and exits with code 0. A second signal kills
it.

"keysake serve --dev" needs no setup: it keeps its data in ./.keysake-dev, creates
what is missing, and prints its address, a link that signs you in to its pages,
where its API key is, and a first request to try. For production, "keysake init"
creates the database, the root key and the first API key.

Other machines can reach it over TLS only: give --tls-cert and --tls-key, or put
it behind a proxy that terminates TLS and give --behind-tls-proxy. A new
certificate is served within seconds after its files have changed, and at once
after SIGHUP, which also reads the keys file again.

Every flag has a variable: KEYSAKE_ and the flag's name in capitals with
underscores, such as KEYSAKE_RATE_LIMIT. A flag overrides its variable. A list in
a variable is separated by commas, a list of keys by spaces.`

func newServe(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long:  serveLong,
		Example: `  keysake serve --dev
  keysake serve --data /var/lib/keysake/data
  keysake serve --data /var/lib/keysake/data --listen :443 \
    --tls-cert cert.pem --tls-key key.pem`,
		Args: noArgs,
	}
	settings := config.New()
	settings.AddFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := a.load(settings)
		if err != nil {
			return err
		}
		cfg.Program = "serve " + programVersion()
		return server.Run(cmd.Context(), cfg, a.passphrase, a.stdout, a.stderr)
	}
	return cmd
}

// load returns valid settings, or a usage error.
func (a *app) load(settings *config.Settings) (config.Config, error) {
	cfg, err := settings.Load(a.env)
	if err == nil {
		err = cfg.Validate()
	}
	for _, url := range cfg.RootKeys {
		if bad := rootkey.Check(url); err == nil && bad != nil {
			err = fmt.Errorf("--root-key: %w", bad)
		}
	}
	if err != nil {
		return config.Config{}, &usageError{err}
	}
	return cfg, nil
}
