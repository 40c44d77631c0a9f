package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/server"
)

const serveLong = `Serves the API until it is interrupted or gets a SIGTERM; then requests finish, what they changed is on the disk, and the exit
code is 0. A second signal ends it at once.

"keysake serve --dev" needs nothing: it keeps its data in ./.keysake-dev, creates what is missing, and prints where it
listens, where its API key is, and a first request. For anything else, "keysake init" makes the database, the root key and
the first API key.

Beyond this machine it listens with TLS only: with --tls-cert and --tls-key, or behind a proxy that does the TLS and
--behind-tls-proxy.

Each flag has a variable: KEYSAKE_ and the flag's name in capitals, with underscores (KEYSAKE_RATE_LIMIT). A flag wins over its
variable; a list in a variable has commas.`

func newServe(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long:  serveLong,
		Example: `  keysake serve --dev
  keysake serve --data /var/lib/keysake/data
  keysake serve --data /var/lib/keysake/data --listen :443 --tls-cert cert.pem --tls-key key.pem`,
		Args: noArgs,
	}
	settings := config.New()
	settings.AddFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := a.load(settings)
		if err != nil {
			return err
		}
		return server.Run(cmd.Context(), cfg, a.passphrase, a.stdout, a.stderr)
	}
	return cmd
}

// load returns valid settings.
func (a *app) load(settings *config.Settings) (config.Config, error) {
	cfg, err := settings.Load(a.env)
	if err == nil {
		err = cfg.Validate()
	}
	if err == nil && cfg.RootKey != "" {
		if err = rootkey.Check(cfg.RootKey); err != nil {
			err = fmt.Errorf("--root-key: %w", err)
		}
	}
	if err != nil {
		return config.Config{}, &usageError{err}
	}
	return cfg, nil
}
