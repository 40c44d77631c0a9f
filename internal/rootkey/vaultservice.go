package rootkey

import (
	"errors"
	neturl "net/url"
	"os"
	"path"
	"time"

	"github.com/hashicorp/vault/api"
	"gocloud.dev/secrets"
	"gocloud.dev/secrets/hashivault"
)

const vaultScheme = hashivault.Scheme

// openVault opens the key of a Vault or OpenBao transit engine: hashivault://KEY, with ?engine=PATH
// where the engine is not at "transit". Where the service is and how to log in come from its own
// variables, VAULT_ADDR and VAULT_TOKEN among them, or VAULT_SERVER_URL and VAULT_SERVER_TOKEN.
//
// The driver's own way from a URL is not taken: it keeps one client and one engine for all URLs of
// the process, and that client would wait without end. The driver gives no context to its calls, so
// that the client's timeout is what ends them.
func openVault(url string, timeout time.Duration) (*secrets.Keeper, error) {
	u, err := neturl.Parse(url)
	if err != nil {
		return nil, ErrScheme
	}
	options := &hashivault.KeeperOptions{Engine: u.Query().Get("engine")}
	for name := range u.Query() {
		if name != "engine" {
			return nil, errors.New("hashivault:// takes no parameter but engine")
		}
	}
	config := api.DefaultConfig()
	if config.Error != nil {
		return nil, config.Error
	}
	address := firstOf("VAULT_SERVER_URL", api.EnvVaultAddress)
	if address == "" && config.AgentAddress == "" {
		return nil, errors.New("VAULT_ADDR does not say where the service is")
	}
	if address != "" {
		config.Address = address
	}
	config.Timeout, config.MaxRetries = timeout, 0 // service.call tries again
	client, err := api.NewClient(config)
	if err != nil {
		// the text of the cause may quote them
		return nil, errors.New("VAULT_ADDR and the other variables of the service make no client")
	}
	if token := firstOf("VAULT_SERVER_TOKEN", api.EnvVaultToken); token != "" {
		client.SetToken(token)
	}
	return hashivault.OpenKeeper(client, path.Join(u.Host, u.Path), options), nil
}

// firstOf returns the first of these variables that is not empty. They are the service's, and every
// program that asks it reads them.
func firstOf(names ...string) string {
	for _, name := range names {
		if value := os.Getenv(
			name,
		); value != "" { //nolint:forbidigo // they belong to the service's client, which reads the rest of them
			return value
		}
	}
	return ""
}
