package rootkey

import (
	"errors"
	"os"
	"time"

	"github.com/hashicorp/vault/api"
	"gocloud.dev/secrets"
	"gocloud.dev/secrets/hashivault"
)

// openVault opens the key of a Vault or OpenBao transit engine. The address and the token come from the
// service's own variables: VAULT_ADDR and VAULT_TOKEN, or VAULT_SERVER_URL and VAULT_SERVER_TOKEN.
//
// The driver's own URL opener is not used: it shares one client and one engine between all URLs of
// the process. The driver passes no context to its calls, so the client's timeout has to end them.
func openVault(key, engine string, timeout time.Duration) (*secrets.Keeper, error) {
	options := &hashivault.KeeperOptions{Engine: engine}
	config := api.DefaultConfig()
	if config.Error != nil {
		return nil, config.Error
	}
	address := firstOf("VAULT_SERVER_URL", api.EnvVaultAddress)
	if address == "" && config.AgentAddress == "" {
		return nil, errors.New("VAULT_ADDR is not set: set it to the address of the service")
	}
	if address != "" {
		config.Address = address
	}
	config.Timeout, config.MaxRetries = timeout, 0 // service.retry tries again
	client, err := api.NewClient(config)
	if err != nil {
		// The cause may quote the variables.
		return nil, errors.New("the VAULT variables make no client: check VAULT_ADDR")
	}
	if token := firstOf("VAULT_SERVER_TOKEN", api.EnvVaultToken); token != "" {
		client.SetToken(token)
	}
	return hashivault.OpenKeeper(client, key, options), nil
}

// firstOf returns the first of these variables that is not empty.
func firstOf(names ...string) string {
	for _, name := range names {
		value := os.Getenv(name) //nolint:forbidigo // the service's client reads its variables, too
		if value != "" {
			return value
		}
	}
	return ""
}
