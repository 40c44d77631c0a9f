package vault_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/internal/vault/vaulttest"
)

// assertOpens checks that a secret's value is want, without ever printing one.
func (p *fixture) assertOpens(who vault.Actor, id uuid.UUID, want vault.Value) {
	p.t.Helper()
	got, err := vaulttest.OpenSecret(
		p.t.Context(), p.Service, with(who, policy.LeasesWrite), id)
	if err != nil {
		p.t.Errorf("it does not open: %v", err)
	} else if !bytes.Equal(got.Reveal(), want.Plain().Reveal()) {
		p.t.Error("it opens to another value")
	}
}

// names returns the names of a user's secrets, as they are listed.
func (p *fixture) names(who vault.Actor) (names []string) {
	p.t.Helper()
	secrets, err := p.ListSecrets(p.t.Context(), with(who, policy.SecretsRead))
	p.must(err)
	for _, s := range secrets {
		names = append(names, s.Name)
	}
	return names
}

func TestASecretFromAPresetHasThePresetsNameAndAMask(t *testing.T) {
	p := start(t)
	for provider, name := range map[string]string{
		"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY", "github": "GITHUB_TOKEN",
		"tinker": "TINKER_API_KEY",
	} {
		value, before := fake("abcdefghij"), p.clock.last()
		made, err := p.CreateFromPreset(t.Context(), p.admin, fromPreset(provider, value))
		p.must(err)
		want := vault.Secret{
			ID:        made.ID,
			Name:      name,
			Provider:  provider,
			Mask:      "abcdef" + bullets + "hij",
			Stamp:     made.Stamp,
			CreatedAt: made.CreatedAt,
			UpdatedAt: made.CreatedAt,
		}
		if now := p.clock.last(); made.CreatedAt.After(now) || !made.CreatedAt.After(before) {
			t.Errorf("made at %s, not between %s and %s", made.CreatedAt, before, now)
		}
		if diff := cmp.Diff(want, made); diff != "" {
			t.Errorf("made (-want +got):\n%s", diff)
		}
		if made.ID.Version() != 7 {
			t.Errorf("the id is of version %d", made.ID.Version())
		}
		read, err := p.GetSecret(t.Context(), p.admin, made.ID)
		p.must(err)
		if diff := cmp.Diff(want, read); diff != "" {
			t.Errorf("read (-want +got):\n%s", diff)
		}
		p.assertOpens(p.admin, made.ID, value)
	}
}

func TestACustomSecretHasTheNameThatItWasGiven(t *testing.T) {
	p := start(t)
	for name, provider := range map[string]string{"MY_KEY": "", "MY_OTHER_KEY": "openai"} {
		made, err := p.CreateSecret(
			t.Context(), p.admin, ofProvider(name, provider, value("short")),
		)
		p.must(err)
		if made.Name != name || made.Provider != provider || made.Mask != bullets {
			t.Errorf("got %+v", made)
		}
	}
}

func TestAnyValueOpensToItself(t *testing.T) {
	p := start(t)
	for name, text := range map[string]string{
		"ONE": "x", "LONGEST": strings.Repeat("0123456789abcdef", 4096), "UTF8": "é日😀",
		"ODD": " \x01\n",
	} {
		made := p.secret(p.admin, name, value(text))
		p.assertOpens(p.admin, made.ID, value(text))
		p.restart()
		p.assertOpens(p.admin, made.ID, value(text))
	}
}

func TestANameIsTakenOncePerUser(t *testing.T) {
	p := start(t)
	ann, ben := p.user("ann"), p.user("ben")
	first, err := p.CreateFromPreset(t.Context(), ann, fromPreset("openai", fake("first")))
	p.must(err)
	entries := p.newEntries(ann.User, func() {
		_, err = p.CreateFromPreset(t.Context(), ann, fromPreset("openai", fake("second")))
		assertKind(t, "from the preset again", err, vault.Conflict)
		_, err = p.CreateSecret(t.Context(), ann, custom("OPENAI_API_KEY", fake("third")))
		assertKind(t, "a custom one of the preset's name", err, vault.Conflict)
	})
	if len(entries) > 0 {
		t.Errorf("%d entries were recorded, though nothing was done or refused", len(entries))
	}
	p.assertOpens(ann, first.ID, fake("first"))
	p.assertChain(ann.User)
	if _, err := p.CreateFromPreset(
		t.Context(), ben, fromPreset("openai", fake("ben's")),
	); err != nil {
		t.Errorf("another user cannot use the name: %v", err)
	}
}

func TestAnUnknownProviderIsRefusedWithoutBeingRepeated(t *testing.T) {
	p := start(t)
	for _, provider := range []string{"canary-provider", "OpenAI", "openai ", "openai\x00"} {
		_, err := p.CreateFromPreset(
			t.Context(), p.admin, fromPreset(provider, fake("canary-value")),
		)
		assertField(t, err, "provider", vault.OneOf, provider)
		_, err = p.CreateSecret(
			t.Context(), p.admin, ofProvider("MY_KEY", provider, fake("canary-value")))
		assertField(t, err, "provider", vault.OneOf, provider)
	}
	if names := p.names(p.admin); len(names) > 0 {
		t.Errorf("and yet it was made: %v", names)
	}
}

// A use case asks for the rules again: a zero value has passed no constructor.
func TestAUseCaseRefusesWhatNoConstructorHasMade(t *testing.T) {
	p := start(t)
	made := p.secret(p.admin, "MINE", fake("x"))
	_, err := p.CreateSecret(t.Context(), p.admin, vault.SecretRequest{})
	assertBroken(t, "a secret", err, "name too short", "value too short")
	_, err = p.CreateFromPreset(t.Context(), p.admin, vault.FromPreset{Provider: "openai"})
	assertBroken(t, "from a preset", err, "value too short")
	_, err = p.UpdateSecret(t.Context(), p.admin, made.ID, vault.Value{})
	assertBroken(t, "an update", err, "value too short")
	_, err = p.CreateUser(t.Context(), p.admin, vault.UserRequest{})
	assertBroken(t, "a user", err, "username too short")
	_, err = p.CreateAdmin(t.Context(), vault.Username{}, vault.KeyName{})
	assertBroken(t, "an admin", err, "username too short")
	for _, text := range []string{"LD_PRELOAD", "PATH", "MINE\n"} {
		name, err := vault.NewName(text)
		if err == nil {
			t.Errorf("%q is a name", text)
		}
		_, err = p.CreateSecret(
			t.Context(), p.admin, vault.SecretRequest{Name: name, Value: fake("x")},
		)
		assertBroken(t, text, err, "name too short")
	}
	if diff := cmp.Diff([]string{"MINE"}, p.names(p.admin)); diff != "" {
		t.Error(diff)
	}
}

// assertField checks what an Invalid error says, and that neither it nor its text repeats what was
// sent.
func assertField(t *testing.T, err error, name string, rule vault.Rule, sent string) {
	t.Helper()
	invalid, ok := errors.AsType[*vault.Error](err)
	if !ok || len(invalid.Fields) != 1 {
		t.Errorf("no single field in %v", err)
		return
	}
	field := invalid.Fields[0]
	if field.Name != name || field.Rule != rule || field.Msg == "" {
		t.Errorf("got the field %+v", field)
	}
	for _, text := range []string{err.Error(), invalid.Detail, field.Msg} {
		if strings.Contains(text, sent) || strings.Contains(text, "canary") {
			t.Error("what was sent is repeated")
		}
	}
}

// badPastes are what no provider's key has, by how people would call it.
var badPastes = map[string]string{
	"space":                  " ",
	"line feed":              "\n",
	"carriage return":        "\r",
	"tab":                    "\t",
	"no-break space":         "\u00a0",
	"zero-width space":       "\u200b",
	"byte order mark":        "\ufeff",
	"zero-width joiner":      "\u200d",
	"word joiner":            "\u2060",
	"soft hyphen":            "\u00ad",
	"right-to-left override": "\u202e",
	"line separator":         "\u2028",
	"ideographic space":      "\u3000",
	"next line":              "\u0085",
	"escape":                 "\x1b",
	"delete":                 "\x7f",
	"replacement character":  "\ufffd",
}

func TestABadPasteIsRefusedForAPreset(t *testing.T) {
	p := start(t)
	kept, err := p.CreateFromPreset(t.Context(), p.admin, fromPreset("github", fake("kept")))
	p.must(err)
	for what, bad := range badPastes {
		for _, text := range []string{
			bad + "canary-value", "canary" + bad + "value", "canary-value" + bad,
		} {
			entries := p.newEntries(p.admin.User, func() {
				_, err := p.CreateFromPreset(
					t.Context(), p.admin, fromPreset("openai", value(text)),
				)
				assertKind(t, what, err, vault.Invalid)
				assertField(t, err, "value", vault.GoodValue, text)
				_, err = p.CreateSecret(
					t.Context(), p.admin, ofProvider("OPENAI_API_KEY", "openai", value(text)))
				assertKind(t, what+" under the preset's name", err, vault.Invalid)
				_, err = p.UpdateSecret(t.Context(), p.admin, kept.ID, value(text))
				assertKind(t, what+" in an update", err, vault.Invalid)
				assertField(t, err, "value", vault.GoodValue, text)
			})
			if len(entries) > 0 {
				t.Errorf("%s: %d entries", what, len(entries))
			}
		}
	}
	if diff := cmp.Diff([]string{"GITHUB_TOKEN"}, p.names(p.admin)); diff != "" {
		t.Error(diff)
	}
	p.assertOpens(p.admin, kept.ID, fake("kept"))
}

func TestACustomSecretMayHaveAnyValue(t *testing.T) {
	p := start(t)
	made := p.secret(p.admin, "CUSTOM", fake("first"))
	for what, bad := range badPastes {
		v := value("line one" + bad + "line two")
		if _, err := p.UpdateSecret(t.Context(), p.admin, made.ID, v); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		p.assertOpens(p.admin, made.ID, v)
	}
	v := value("a b")
	if _, err := p.CreateSecret(
		t.Context(), p.admin, ofProvider("OWN_NAME", "openai", v),
	); err != nil {
		t.Errorf("of a provider, under a name of its own: %v", err)
	}
	if _, err := p.CreateSecret(t.Context(), p.admin, custom("OPENAI_API_KEY", v)); err != nil {
		t.Errorf("of no provider, under a preset's name: %v", err)
	}
}

func TestAnUpdateMakesTheNextVersion(t *testing.T) {
	p := start(t)
	made, before := p.secret(p.admin, "MINE", fake("first.")), p.clock.last()
	updated, err := p.UpdateSecret(t.Context(), p.admin, made.ID, fake("second"))
	p.must(err)
	if at := updated.UpdatedAt; !at.After(before) || at.After(p.clock.last()) {
		t.Errorf("updated at %s, which is not now", at)
	}
	want := made
	want.Mask, want.UpdatedAt = "second"+bullets+"eco", updated.UpdatedAt
	want.Stamp = updated.Stamp
	if updated.Tag() == made.Tag() {
		t.Error("it has the tag of the version before")
	}
	if diff := cmp.Diff(want, updated); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if read, err := p.GetSecret(t.Context(), p.admin, made.ID); err != nil || read != updated {
		t.Errorf("it reads as %+v (%v)", read, err)
	}
	p.assertOpens(p.admin, made.ID, fake("second"))
}

func TestAnUpdateIsNotBeforeTheOneBeforeWhereTheClockWasSetBack(t *testing.T) {
	p := start(t)
	made := p.secret(p.admin, "MINE", fake("first"))
	p.clock.forward(-time.Hour)
	updated, err := p.UpdateSecret(t.Context(), p.admin, made.ID, fake("second"))
	if err != nil || !updated.UpdatedAt.Equal(made.UpdatedAt) {
		t.Errorf("it is of %s, after %s (%v)", updated.UpdatedAt, made.UpdatedAt, err)
	}
	if read, err := p.GetSecret(t.Context(), p.admin, made.ID); err != nil || read != updated {
		t.Errorf("it reads as %+v (%v)", read, err)
	}
}

func TestADeletedSecretIsGoneAndItsNameIsFree(t *testing.T) {
	p := startWith(t, 1, 5)
	made := p.secret(p.admin, "MINE", fake("first"))
	p.must(p.DeleteSecret(t.Context(), p.admin, made.ID))
	_, err := p.GetSecret(t.Context(), p.admin, made.ID)
	assertKind(t, "reading it", err, vault.NotFound)
	assertKind(
		t, "deleting it again", p.DeleteSecret(t.Context(), p.admin, made.ID), vault.NotFound,
	)
	again := p.secret(p.admin, "MINE", fake("second"))
	if again.ID == made.ID {
		t.Error("the new one has the old one's id")
	}
	p.assertOpens(p.admin, again.ID, fake("second"))
	p.assertChain(p.admin.User)
}

func TestSecretsAreListedByName(t *testing.T) {
	p := start(t)
	for _, name := range []string{"B", "a", "A_1", "C", "A", "_Z"} {
		p.secret(p.admin, name, fake(name))
	}
	if diff := cmp.Diff([]string{"A", "A_1", "B", "C", "_Z", "a"}, p.names(p.admin)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	nobody := p.user("nobody")
	if list, err := p.ListSecrets(t.Context(), nobody); err != nil || list == nil || len(list) > 0 {
		t.Errorf("of none: %v (%v)", list, err)
	}
}

func TestAPresetIsConfiguredByItsProviderOrItsName(t *testing.T) {
	p := start(t)
	ann := p.user("ann")
	configured := func() (ids []string) {
		presets, err := p.ListPresets(t.Context(), ann)
		p.must(err)
		for _, preset := range presets {
			if preset.Configured {
				ids = append(ids, preset.Provider+" "+preset.EnvVarName)
			}
		}
		return ids
	}
	p.secret(p.admin, "OPENAI_API_KEY", fake("somebody else's"))
	p.secret(ann, "UNRELATED", fake("x"))
	if got := configured(); len(got) > 0 {
		t.Errorf("with none of them: %v", got)
	}
	p.secret(ann, "GITHUB_TOKEN", fake("by name"))
	if _, err := p.CreateSecret(
		t.Context(), ann, ofProvider("OWN_NAME", "anthropic", fake("by provider")),
	); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(
		[]string{"anthropic ANTHROPIC_API_KEY", "github GITHUB_TOKEN"}, configured(),
	); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
