package cli

import (
	"github.com/spf13/cobra"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/server"
)

const brokerLong = `Run the broker alone, as a process beside the servers of a database: on the
machine of a server, or with --database-url on any other. It puts keys on requests
and does nothing else: leases are made by servers, whose --broker-url says where
programs reach it. Give those servers --broker-listen none, so that the limits of a lease are
counted in one place.

It opens the same database with the same keys, and so needs what a server needs to
read a value. A lease that is revoked at a server ends here within a second. It needs a server
of the same version to have made the tables, and keeps working while
none runs.

It stops as a server does: requests under way have --shutdown-timeout to finish.
--admin-listen serves /healthz, /readyz and /metrics. SIGHUP makes it read its
certificate and the keys file again.`

func newBroker(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "broker",
		Short: "Run the broker alone, beside servers (for operators)",
		Long:  brokerLong,
		Example: `  keysake broker --data /var/lib/keysake/data --broker-listen 127.0.0.1:8421
  keysake broker --data /var/lib/keysake/data --broker-listen :8421 \
    --tls-cert cert.pem --tls-key key.pem`,
		Args: noArgs,
	}
	settings := localSettings(
		cmd, "broker-listen", "egress-allow", "presets", "tls-cert", "tls-key", "behind-tls-proxy",
		"admin-listen", "key-cache-ttl", "lockdown", "log-format", "log-level", "shutdown-timeout",
	)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := a.load(settings)
		if err != nil {
			return err
		}
		if cfg.BrokerListen == "" || cfg.BrokerListen == config.NoBroker {
			return usagef("--broker-listen is missing: name the address and port of the broker")
		}
		cfg.Program = "broker " + programVersion()
		return server.RunBroker(cmd.Context(), cfg, a.passphrase, a.stdout, a.stderr)
	}
	return cmd
}
