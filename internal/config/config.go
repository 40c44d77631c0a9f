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
)

// DevData is the default data folder of --dev.
const DevData = "./.keysake-dev"

const fileScheme = "file:"

// A Config is what a server runs with. [Settings.Load] fills it, [Config.Validate] checks it.
type Config struct {
	Listen  string
	Data    string
	Dev     bool
	RootKey string // a URL

	RootPassphraseFile string
	RootPassphraseFD   int
	KeyCacheTTL        time.Duration
	KeyServiceTimeout  time.Duration
	KMSHelper          string // a path; empty for keysake-kms beside the program

	MinClients       []MinClient
	RateLimit        float64
	RateBurst        int
	UserRateLimit    float64
	UserRateBurst    int
	AuthFailureLimit int
	TrustedProxies   []netip.Prefix

	TLSCert        string
	TLSKey         string
	BehindTLSProxy bool
	AdminListen    string

	MaxSecrets      int
	KeepVersions    int
	MinFreeSpace    int // MiB
	LogFormat       string
	LogLevel        slog.Level
	ShutdownTimeout time.Duration

	Checkpoints     string        // a folder; empty for the default
	CheckpointEvery time.Duration // 0 for never
}

// A MinClient is the oldest version of a client program that may call.
type MinClient struct {
	Name    string // product name in User-Agent, such as keysake; case does not matter
	Version string // such as 1.4, 2.0.0-rc.1 or 1.2.3b1
}

// DefaultRootKey returns the URL of the root key for a new database. The key is next to the data
// folder, not in it, so that copying one does not copy the other; with --dev it is in the folder.
func (c Config) DefaultRootKey() (string, error) {
	if c.Dev {
		return fileScheme + filepath.Join(c.Data, "root.key"), nil
	}
	// The suffix needs a name to follow, which "." and ".." do not have.
	data, err := filepath.Abs(c.Data)
	if err != nil {
		return "", fmt.Errorf("--data: %w", err)
	}
	return fileScheme + data + ".root-key", nil
}

// CheckpointFolder returns where checkpoints of the audit log are kept: by default next to the data
// folder, with --dev in it.
func (c Config) CheckpointFolder() (string, error) {
	if c.Checkpoints != "" {
		return c.Checkpoints, nil
	}
	if c.Dev {
		return filepath.Join(c.Data, "checkpoints"), nil
	}
	data, err := filepath.Abs(c.Data)
	if err != nil {
		return "", fmt.Errorf("--data: %w", err)
	}
	return data + ".checkpoints", nil
}
