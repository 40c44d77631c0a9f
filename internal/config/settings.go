package config

import (
	"slices"
	"strings"
)

// A setting describes one field of a [Config].
type setting struct {
	target      any    // a pointer to the field
	flag        string // its name without dashes
	arg         string // what stands for the argument in help texts; empty for a bool
	defaultText string // as a user would type it
	help        string
}

// settings describes every field, in the order of the reference page.
func (c *Config) settings() []setting {
	return slices.Concat(
		c.storageSettings(),
		c.keySettings(),
		c.clientSettings(),
		c.networkSettings(),
		c.operationSettings(),
		c.providerSettings(),
		c.signInSettings(),
	)
}

func (c *Config) storageSettings() []setting {
	return []setting{
		{
			&c.Listen, "listen", "ADDRESS", "127.0.0.1:8420",
			"address and port to serve on; any but a loopback address needs TLS",
		},
		{
			&c.Data, "data", "DIR", "",
			"folder of the database; required (serve --dev: " + DevData + ")",
		},
		{
			&c.Dev, "dev", "", "",
			"development: create what is missing, and a user dev with an API key in " +
				"DIR/dev-api-key",
		},
		{
			&c.DatabaseURL, "database-url", "URL", "",
			"PostgreSQL database in the place of the file in the data folder, for one or more " +
				"servers: postgres://USER@HOST:PORT/DATABASE; the password comes from " +
				"--database-password-file, PGPASSFILE or a URL in the variable",
		},
		{
			&c.DatabasePasswordFile, "database-password-file", "FILE", "",
			"file with the password for --database-url",
		},
		{
			&c.DatabaseConnections, "database-connections", "N", "16",
			"connections to PostgreSQL that this server may have at once",
		},
		{
			&c.DatabasePooler, "database-pooler", "", "",
			"the URL is that of a pooler that lends connections for one transaction, such as " +
				"PgBouncer",
		},
	}
}

func (c *Config) keySettings() []setting {
	return []setting{
		{
			&c.Keys, "keys", "FILE", "",
			"file that names the keys that are believed, one a line: root-key URL, " +
				"instance-key ID; the default is DIR.keys, next to the data folder " +
				"(--dev: DIR/keysake.keys)",
		},
		{
			&c.RootKeys, "root-key", "URL", "",
			"URL of a key that wraps all others: file:PATH, passphrase:, awskms://, gcpkms://, " +
				"azurekeyvault:// or hashivault://; repeatable: the first wraps, the others only " +
				"open. It replaces those of the keys file; for a new database the default is " +
				"file:DIR.root-key, next to the data folder (--dev: DIR/root.key)",
		},
		{
			&c.InstanceKeys, "instance-key", "ID", "",
			"id of a key that signs what the database says; repeatable: the first signs, the " +
				"others only verify. It replaces those of the keys file",
		},
		{
			&c.Floors, "floors", "FILE", "",
			"file that remembers how new each user's data was, so that older data that is put " +
				"back is refused; the default is DIR.floors beside the file of the first root " +
				"key, or beside the keys file (--dev: none)",
		},
		{
			&c.RootPassphraseFile, "root-passphrase-file", "FILE", "",
			"file with the passphrase of a root key passphrase:; if it has several lines, " +
				"each is tried in turn",
		},
		{
			&c.RootPassphraseFD, "root-passphrase-fd", "N", "",
			"file descriptor to read that passphrase from; without a file or descriptor " +
				"the passphrase is prompted for",
		},
		{
			&c.KeyCacheTTL, "key-cache-ttl", "DURATION", "1h",
			"how long a user's key stays in memory, and so how long a key service may be " +
				"unreachable before that user notices",
		},
		{
			&c.KeyServiceTimeout, "key-service-timeout", "DURATION", "8s",
			"time limit for a request to a key service, including two retries",
		},
		{
			&c.KMSHelper, "kms-helper", "PATH", "",
			"program that asks AWS, Google Cloud and Azure; the default is keysake-kms beside " +
				"keysake",
		},
	}
}

func (c *Config) clientSettings() []setting {
	return []setting{
		{
			&c.MinClients, "min-client", "NAME=VERSION", "",
			"refuse older versions of the client NAME (the first product in User-Agent) " +
				"with 426; repeatable",
		},
		{
			&c.RateLimit, "rate-limit", "N", "100",
			"requests per second for each API key; 0 for no limit",
		},
		{
			&c.RateBurst, "rate-burst", "N", "200",
			"requests that an API key may make at once before --rate-limit applies",
		},
		{
			&c.UserRateLimit, "user-rate-limit", "N", "300",
			"requests per second for all API keys of a user together; 0 for no limit",
		},
		{
			&c.UserRateBurst, "user-rate-burst", "N", "600",
			"requests that a user may make at once before --user-rate-limit applies",
		},
		{
			&c.SharedRateLimits, "shared-rate-limits", "", "",
			"servers that share a PostgreSQL take from these limits what the others let " +
				"through, a second later; needs --database-url without --database-pooler",
		},
		{
			&c.AuthFailureLimit, "auth-failure-limit", "N", "300",
			"failed authentications per minute for each client address; 0 for no limit",
		},
		{
			&c.TrustedProxies, "trusted-proxies", "CIDR", "",
			"addresses or networks of proxies whose X-Forwarded-For is trusted; repeatable",
		},
	}
}

func (c *Config) networkSettings() []setting {
	return []setting{
		{
			&c.TLSCert, "tls-cert", "FILE", "",
			"certificate chain in PEM, to serve https; needs --tls-key",
		},
		{
			&c.TLSKey, "tls-key", "FILE", "",
			"private key of --tls-cert in PEM",
		},
		{
			&c.BehindTLSProxy, "behind-tls-proxy", "", "",
			"a proxy in front handles TLS: allow any --listen address without it",
		},
		{
			&c.AdminListen, "admin-listen", "ADDRESS", "",
			"address and port for metrics, which need no API key; not served by default",
		},
		{
			&c.MaxConnections, "max-connections", "N", "0",
			"connections that may be open at once; 0 for what the limit of open files allows, " +
				"at most 8192",
		},
		{
			&c.MaxConnectionsEach, "max-connections-each", "N", "0",
			"the same for one client address that is no trusted proxy; 0 for half of them",
		},
	}
}

func (c *Config) operationSettings() []setting {
	return []setting{
		{
			&c.MaxSecrets, "max-secrets", "N", "200",
			"number of secrets that a user may have; whatever this says, there is room for about " +
				"8,000 secrets and old versions of a user, and none for tickets above 6,000",
		},
		{
			&c.KeepVersions, "keep-versions", "N", "5",
			"number of versions to keep of a secret, including the current one",
		},
		{
			&c.MinFreeSpace, "min-free-space", "MIB", "64",
			"free disk space below which only revoking and deleting work, or a tenth of a disk " +
				"that is small; 0 for none",
		},
		{
			&c.LogFormat, "log-format", "FORMAT", "text",
			"text or json",
		},
		{
			&c.LogLevel, "log-level", "LEVEL", "info",
			"debug, info, warn or error",
		},
		{
			&c.ShutdownTimeout, "shutdown-timeout", "DURATION", "15s",
			"how long requests in progress may take to finish when the server stops",
		},
		{
			&c.Checkpoints, "checkpoints", "DIR", "",
			"folder for the checkpoints of the audit log; the default is DIR.checkpoints, next " +
				"to the data folder (--dev: DIR/checkpoints)",
		},
		{
			&c.CheckpointEvery, "checkpoint-every", "DURATION", "24h",
			"how often the server makes a checkpoint of the audit log; 0 for never",
		},
		{
			&c.PostQuantumOnly, "pq-only", "", "",
			"seal nothing to X25519 keys alone: bundles and requests of programs without ML-KEM " +
				"are refused",
		},
		{
			&c.Lockdown, "lockdown", "", "",
			"answer nothing but what admins read, revoke, disable and delete, until a restart " +
				"without it; the command keysake lockdown does the same to a running server",
		},
		{
			&c.DeleteDelay, "delete-delay", "DURATION", "24h",
			"how long the deletion of a user can be called off, who is disabled at once; " +
				"0 deletes at once",
		},
		{
			&c.NoDeleteNow, "no-delete-now", "", "",
			"refuse API keys that would delete a user without the delay; the operator does it at " +
				"the machine",
		},
	}
}

func (c *Config) providerSettings() []setting {
	return []setting{
		{
			&c.BrokerURL, "broker-url", "URL", "",
			"address of the broker, as programs of users reach it: https, or http on this " +
				"machine; without it there are no leases for the broker",
		},
		{
			&c.BrokerListen, "broker-listen", "ADDRESS", "",
			"address and port of the broker, which puts keys on the requests of programs that " +
				"have none; not served by default (serve --dev: the port after that of --listen, " +
				"or none)",
		},
		{
			&c.EgressAllow, "egress-allow", "EXCEPTION", "",
			"what the broker, probes and the webhook may connect to besides public addresses: a " +
				"network, or HOST=ADDRESS:PORT for a host that is not resolved; repeatable",
		},
		{
			&c.WebhookURL, "webhook-url", "URL", "",
			"address that is told of secrets that turn invalid, expire or lie unused: https " +
				"(serve --dev: http on this machine, too); needs --webhook-key-file",
		},
		{
			&c.WebhookKeyFile, "webhook-key-file", "FILE", "",
			"file of mode 0600 with the key that signs what the webhook is told: whsec_ and " +
				"base64 of 32 random bytes or more; with several lines, each of them signs",
		},
		{
			&c.Presets, "presets", "DIR", "",
			"folder with presets of your own, each a file PROVIDER.json",
		},
	}
}

// Variable returns the name of the environment variable that sets the same as a flag.
func Variable(flag string) string {
	return "KEYSAKE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}
