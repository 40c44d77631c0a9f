// Package config holds the settings of a server. Each setting has one description, from which come
// its flag, its environment variable, its default and its line on the reference page.
//
// The package reads the environment only through the function that it is given.
package config

import (
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/google/uuid"
)

// DevData is the default data folder of --dev.
const DevData = "./.keysake-dev"

// NoBroker as the address of the broker is none, also with --dev.
const NoBroker = "none"

const fileScheme = "file:"

// A Config is what a server runs with. [Settings.Load] fills it, [Config.Validate] checks it.
type Config struct {
	Program string // which program serves, and its version; empty for one that does not

	Listen string
	Data   string
	Dev    bool

	DatabaseURL          string // of PostgreSQL; empty for a file in the data folder
	DatabasePasswordFile string
	DatabaseConnections  int
	DatabasePooler       bool // the URL is that of a pooler

	Keys         string      // path of the keys file; empty for the default
	RootKeys     []string    // URLs, in the place of those in the keys file
	InstanceKeys []uuid.UUID // in the place of those in the keys file
	Floors       string      // path of the floors file; empty for the default

	RootPassphraseFile string
	RootPassphraseFD   int
	KeyCacheTTL        time.Duration
	KeyServiceTimeout  time.Duration
	KMSHelper          string // a path; empty for keysake-kms beside the program

	MinClients       []MinClient
	RateLimit        float64
	RateBurst        int
	UserRateLimit    float64
	SharedRateLimits bool
	UserRateBurst    int
	AuthFailureLimit int
	TrustedProxies   []netip.Prefix

	TLSCert        string
	TLSKey         string
	BehindTLSProxy bool
	AdminListen    string
	BrokerURL      string // empty where there is no broker
	BrokerListen   string // empty for the default, NoBroker for none
	EgressAllow    []Egress
	WebhookURL     string // empty where there is none
	WebhookKeyFile string

	PublicURL string // of the pages, as browsers reach them; empty where nothing needs it
	SignIn

	MaxConnections     int // 0 for what the limit of open files allows
	MaxConnectionsEach int // of one address; 0 for half of them

	MaxSecrets      int
	KeepVersions    int
	MinFreeSpace    int // MiB
	LogFormat       string
	LogLevel        slog.Level
	ShutdownTimeout time.Duration

	Checkpoints     string        // a folder; empty for the default
	CheckpointEvery time.Duration // 0 for never

	Lockdown bool // whatever the database says

	DeleteDelay time.Duration // of users; 0 for none
	// PostQuantumOnly: nothing is sealed to a key that a quantum computer breaks.
	PostQuantumOnly bool
	NoDeleteNow     bool // no API key skips the delay

	Presets string // a folder; empty for the built-in ones alone
}

// A MinClient is the oldest version of a client program that may call.
type MinClient struct {
	Name    string // product name in User-Agent, such as keysake; case does not matter
	Version string // such as 1.4, 2.0.0-rc.1 or 1.2.3b1
}

// The names of the two files in the data folder of --dev. Otherwise they are beside the folder.
const (
	devRootKey = "root.key"
	devKeys    = "keysake.keys"
)

// DefaultRootKey returns the URL of the root key for a new database. The key is next to the data
// folder, not in it, so that copying one does not copy the other; with --dev it is in the folder.
func (c Config) DefaultRootKey() (string, error) {
	path, err := c.beside(devRootKey, ".root-key")
	return fileScheme + path, err
}

// KeysFile returns the path of the keys file.
func (c Config) KeysFile() (string, error) {
	if c.Keys != "" {
		return filepath.Abs(c.Keys)
	}
	return c.beside(devKeys, ".keys")
}

// beside returns the path of a file beside the data folder, or with --dev in it.
func (c Config) beside(dev, suffix string) (string, error) {
	// The suffix needs a name to follow, which "." and ".." do not have.
	data, err := filepath.Abs(c.Data)
	switch {
	case err != nil:
		return "", fmt.Errorf("--data: %w", err)
	case c.Dev:
		return filepath.Join(data, dev), nil
	}
	return data + suffix, nil
}

// DevKeysFile returns the path of the keys file that --dev would use for the data folder.
func (c Config) DevKeysFile() string { return filepath.Join(c.Data, devKeys) }

// CheckpointFolder returns where checkpoints of the audit log are kept: by default next to the data
// folder, with --dev in it.
func (c Config) CheckpointFolder() (string, error) {
	if c.Checkpoints != "" {
		return c.Checkpoints, nil
	}
	return c.beside("checkpoints", ".checkpoints")
}
