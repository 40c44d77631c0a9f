package vault

import (
	"context"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/plaintext"
)

// A Variable is a name with its value as somebody wrote them, before any rule is applied.
type Variable struct {
	Name  string
	Value plaintext.Value
}

// A Preview says what an import would make of a variable. Of its value it has the mask.
type Preview struct {
	Name     string
	Provider string // of the preset of that name; empty for a custom secret
	Mask     string
	Hints    []string
	Exists   uuid.UUID // the caller's secret of that name; nil for none
	Refused  error     // why it cannot be imported; nil if it can
	Request  SecretRequest
}

// PreviewImport says what ImportSecrets would make of these variables, and stores nothing. It needs
// the scope secrets:write.
func (s *Service) PreviewImport(
	ctx context.Context, who Actor, all []Variable,
) ([]Preview, error) {
	had := map[string]StoredSecret{}
	err := s.view(ctx, who, policy.SecretImport, func(p *page) error {
		secrets, err := p.secrets(ctx)
		for _, one := range secrets {
			had[one.Name] = one
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	previews := make([]Preview, len(all))
	for i, one := range all {
		previews[i] = s.previewOf(one, had[one.Name])
	}
	return previews, nil
}

func (s *Service) previewOf(one Variable, was StoredSecret) Preview {
	preset, _ := s.catalog.PresetNamed(one.Name)
	p := Preview{Name: one.Name, Provider: preset.ID, Exists: was.ID}
	name, badName := NewName(one.Name)
	value, badValue := NewValue(one.Value)
	p.Request = SecretRequest{Name: name, Provider: preset.ID, Value: value}
	if p.Refused = JoinInvalid(badName, badValue); badValue != nil {
		return p
	}
	p.Mask = value.mask()
	known := s.catalog.Recognise(preset.ID, one.Value)
	if preset.ID != "" || known.Matched.ID != "" {
		p.Hints = known.Hints()
	}
	if was.ID == uuid.Nil { // otherwise it keeps the provider that it has
		was = StoredSecret{Name: one.Name, Provider: preset.ID}
	}
	if p.Refused == nil {
		p.Refused = s.checkPreset(was, value)
	}
	return p
}
