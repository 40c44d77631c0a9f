// Package config holds what `keysake serve` can be told: one struct whose tags give each setting
// its flag, its variable, its default and its line in the reference page, so that none of them can
// say something else.
//
// Together with the command line it is the only package that reads the environment, and it does so
// through a function that it is given.
package config

import (
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"time"
)

// DevData is the data folder of --dev where none is given.
const DevData = "./.keysake-dev"

// A Config is what a server runs with. [Settings.Load] fills it; [Config.Validate] tells whether it
// makes sense. The tags are: flag, its name without dashes, from which that of the variable
// follows; arg, what stands for its argument in help texts; default, as it would be typed; and
// help.
type Config struct {
	Listen  string `flag:"listen" arg:"ADDRESS" default:"127.0.0.1:8420" help:"address and port to serve on; beyond this machine only with TLS"`
	Data    string `flag:"data" arg:"DIR" help:"folder of the database; required (serve --dev: ./.keysake-dev)"`
	Dev     bool   `flag:"dev" help:"development: create what is missing, and a user dev whose API key is in DIR/dev-api-key"`
	RootKey string `flag:"root-key" arg:"URL" help:"the key that wraps all others: file:PATH, passphrase:, awskms://, gcpkms://, azurekeyvault:// or hashivault://. The database remembers it; a new one gets file:DIR.root-key, beside the data and not in it (--dev: DIR/root.key)"`

	RootPassphraseFile string        `flag:"root-passphrase-file" arg:"FILE" help:"file with the passphrase of a passphrase: root key; several, one a line, are tried in turn"`
	RootPassphraseFD   int           `flag:"root-passphrase-fd" arg:"N" help:"file descriptor to read that passphrase from; without either it is asked for"`
	KeyCacheTTL        time.Duration `flag:"key-cache-ttl" arg:"DURATION" default:"1h" help:"how long a key of a user stays open in memory: so long a key service may be away unnoticed"`
	KeyServiceTimeout  time.Duration `flag:"key-service-timeout" arg:"DURATION" default:"8s" help:"how long a key service may take to answer, with two more tries"`

	MinClients       []MinClient    `flag:"min-client" arg:"NAME=VERSION" help:"refuse clients of this name (the first product of User-Agent) that are older, with 426; repeatable"`
	RateLimit        float64        `flag:"rate-limit" arg:"N" default:"100" help:"requests a second for each API key; 0 for no limit"`
	RateBurst        int            `flag:"rate-burst" arg:"N" default:"200" help:"requests that an API key may make at once before --rate-limit holds"`
	AuthFailureLimit int            `flag:"auth-failure-limit" arg:"N" default:"300" help:"failed authentications a minute for each client address; 0 for no limit"`
	TrustedProxies   []netip.Prefix `flag:"trusted-proxies" arg:"CIDR" help:"addresses or networks whose X-Forwarded-For is believed; repeatable"`

	TLSCert        string `flag:"tls-cert" arg:"FILE" help:"certificate chain in PEM, to serve https; needs --tls-key"`
	TLSKey         string `flag:"tls-key" arg:"FILE" help:"private key in PEM of --tls-cert"`
	BehindTLSProxy bool   `flag:"behind-tls-proxy" help:"a proxy in front does the TLS: allows --listen beyond this machine without it"`
	AdminListen    string `flag:"admin-listen" arg:"ADDRESS" help:"address and port of the metrics, which ask for no API key; off if not given"`

	MaxSecrets      int           `flag:"max-secrets" arg:"N" default:"200" help:"secrets that a user may have"`
	KeepVersions    int           `flag:"keep-versions" arg:"N" default:"5" help:"versions of a secret that are kept, the current one among them; 1 keeps none before it"`
	LogFormat       string        `flag:"log-format" arg:"FORMAT" default:"text" help:"text or json"`
	LogLevel        slog.Level    `flag:"log-level" arg:"LEVEL" default:"info" help:"debug, info, warn or error"`
	ShutdownTimeout time.Duration `flag:"shutdown-timeout" arg:"DURATION" default:"15s" help:"time that requests get to finish when the server is told to stop"`
}

// A MinClient is the oldest version of a client program that may call.
type MinClient struct {
	Name    string // product name in User-Agent, such as keysake; case does not matter
	Version string // such as 1.4, 2.0.0-rc.1 or 1.2.3b1
}

// DefaultRootKey returns the URL of the root key that is made for a new database where none is
// named: beside the data folder and not in it, but for --dev.
func (c Config) DefaultRootKey() (string, error) {
	if c.Dev {
		return fileScheme + filepath.Join(c.Data, "root.key"), nil
	}
	// Only the whole path surely has a name to put the suffix on: "." has none, and its key would
	// land inside the folder.
	whole, err := filepath.Abs(c.Data)
	if err != nil {
		return "", fmt.Errorf("--data: %w", err)
	}
	return fileScheme + whole + ".root-key", nil
}

// Variable returns the name of the environment variable that does what the flag does.
func Variable(flag string) string {
	return "KEYSAKE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}
