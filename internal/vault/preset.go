package vault

import (
	"context"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/policy"
)

// A Preset is a provider from which a secret can be created.
type Preset struct {
	Provider   string
	Name       string // for people
	EnvVarName string
	Category   string   // such as ai-inference
	CreateKey  string   // https URL where a key is made; empty where none is known
	Prefixes   []string // with which keys of the provider, and of no other, begin
	Aliases    []string // variables that programs read as well
	Configured bool     // the caller owns a secret of that provider, or one with that name
	Probe      bool     // the catalog has a check for its keys
	Broker     bool     // the catalog says where its keys may be sent
}

// ListPresets returns the presets in the catalog's order. It needs the scope secrets:read.
func (s *Service) ListPresets(ctx context.Context, who Actor) ([]Preset, error) {
	var secrets []StoredSecret
	err := s.view(ctx, who, policy.PresetList, func(p *page) (err error) {
		secrets, err = p.secretsFor(ctx, who)
		return err
	})
	if err != nil {
		return nil, err
	}
	var presets []Preset
	for _, p := range s.catalog.Presets() {
		preset := s.preset(p)
		for _, secret := range secrets {
			if secret.Provider == p.ID || secret.Name == p.EnvVarName {
				preset.Configured = true
			}
		}
		presets = append(presets, preset)
	}
	return presets, nil
}

// ProviderName returns what people call a provider; its id if the catalog does not know it.
func (s *Service) ProviderName(provider string) string {
	if preset, found := s.catalog.Preset(provider); found {
		return preset.Name
	}
	return provider
}

func (s *Service) preset(p catalog.Preset) Preset {
	entry, _ := s.catalog.Entry(p.ID)
	return Preset{
		Provider: p.ID, Name: p.Name, EnvVarName: p.EnvVarName, Category: p.Category,
		CreateKey: p.CreateKey, Prefixes: s.catalog.Prefixes(p.ID),
		Aliases: catalog.NamesOf(entry).Aliases[p.EnvVarName],
		Probe:   entry.CanCheck(), Broker: entry.CanBroker(),
	}
}

// NewProvider returns the provider of that name. Invalid: the name is empty, where a secret without
// a provider has none at all. The use case says whether the catalog knows it.
func NewProvider(name string) (string, error) {
	if name == "" {
		return "", invalid(Field{
			"provider", TooShort, "Provider must not be empty: leave it out for a custom secret",
		})
	}
	return name, nil
}

func unknownProvider() error {
	return invalid(Field{"provider", OneOf, "Unknown provider"})
}

// checkPreset refuses a bad paste as the value of a secret that is a preset's in all but how it was
// made: it has the provider and the name.
func (s *Service) checkPreset(secret StoredSecret, value Value) error {
	preset, found := s.catalog.Preset(secret.Provider)
	if found && secret.Name == preset.EnvVarName {
		return checkPasted(value)
	}
	return nil
}
