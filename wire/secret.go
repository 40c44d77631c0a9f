package wire

import "github.com/keysake/keysake/plaintext"

// A Secret is what an answer shows of a secret: never its value.
type Secret struct {
	ID          string  `json:"id"`       // UUID
	Name        string  `json:"name"`     // the environment variable it becomes
	Provider    *string `json:"provider"` // null for a custom secret without one
	MaskedValue string  `json:"masked_value"`
	CreatedAt   Time    `json:"created_at"`
	UpdatedAt   Time    `json:"updated_at"`
}

// SecretList is the answer to GET /user/secrets, ordered by name.
type SecretList struct {
	Secrets []Secret `json:"secrets"`
	Total   int      `json:"total"`
}

// A Preset is a provider from which a secret can be created.
type Preset struct {
	Provider   string `json:"provider"`
	EnvVarName string `json:"env_var_name"`
	// Configured: this user owns a secret of that provider, or one with that name.
	Configured bool     `json:"configured"`
	Category   string   `json:"category"`
	Aliases    []string `json:"aliases"` // variables that programs read, too; empty for none
	Probe      bool     `json:"probe"`   // the provider can be asked whether a key works
	Broker     bool     `json:"broker"`  // the broker can put a key on requests
}

// PresetList is the answer to GET /user/secrets/presets.
type PresetList struct {
	Presets []Preset `json:"presets"`
}

// CreateSecret is the body of POST /user/secrets.
type CreateSecret struct {
	Name     string          `json:"name" required:"true"`
	Value    plaintext.Value `json:"value" required:"true"`
	Provider *string         `json:"provider"`
}

// CreateFromPreset is the body of POST /user/secrets/preset.
type CreateFromPreset struct {
	Provider string          `json:"provider" required:"true"`
	Value    plaintext.Value `json:"value" required:"true"`
}

// UpdateSecret is the body of PUT /user/secrets/{secret_id}.
type UpdateSecret struct {
	Value plaintext.Value `json:"value" required:"true"`
}

// RenameSecret is the body of POST /user/secrets/{secret_id}/rename.
type RenameSecret struct {
	Name string `json:"name" required:"true"`
}

// ImportSecrets is the body of POST /user/secrets/import.
type ImportSecrets struct {
	Secrets []CreateSecret `json:"secrets" required:"true"`
	// Replace: a secret whose name is in use gets the value as its next version.
	Replace *bool `json:"replace"`
}
