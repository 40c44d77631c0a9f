package api

import (
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/wire"
)

// FuzzASecretIsWrittenAsAllElseIs compares what writes secrets with what writes everything else.
func FuzzASecretIsWrittenAsAllElseIs(f *testing.F) {
	for _, text := range []string{
		"", "OPENAI_API_KEY", "sk-pro••••789", `"quoted" \ / `, "a\nb\tc\r\b\f\x00\x1f\x7f",
		"<script>&amp;", "\u2028 \u2029 \ufeff \ufffd", "é 漢 \U0001F511",
		"\xff\xfe", "\xed\xa0\x80",
	} {
		f.Add(text, "A", int64(0), int64(1))
		f.Add("A", text, int64(1782906312250318999), int64(-1))
		f.Add(text, text, int64(1782906312250000000), int64(1782906312000000000))
	}
	f.Fuzz(func(t *testing.T, name, provider string, created, updated int64) {
		var one [16]byte
		copy(one[:], name+provider)
		s := vault.Secret{
			ID: one, Name: name, Provider: provider, Mask: provider + name,
			CreatedAt: time.Unix(0, created), UpdatedAt: time.Unix(updated, 0),
		}
		check(t, shownSecret(s), wireSecret(s))
		for n := range 3 {
			list := []vault.Secret{s, {}}[:n]
			check(t, secretList(list), wire.SecretList{
				Secrets: bodiesOf(list, wireSecret), Total: n,
			})
		}
	})
}

func wireSecret(s vault.Secret) wire.Secret {
	return wire.Secret{
		ID: s.ID.String(), Name: s.Name, Provider: orNull(s.Provider), MaskedValue: s.Mask,
		CreatedAt: wire.Time{Time: s.CreatedAt}, UpdatedAt: wire.Time{Time: s.UpdatedAt},
	}
}

// check compares the JSON of an answer with that of its wire type. What has none is a panic.
func check(t *testing.T, answer encoder, body any) {
	t.Helper()
	want, err := json.Marshal(body)
	defer func() {
		if cause := recover(); (cause != nil) != (err != nil) {
			t.Errorf("%#v: %v, but %v", body, cause, err)
		}
	}()
	if diff := cmp.Diff(string(want), string(answer.appendTo(nil))); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkSecretBody(b *testing.B) {
	s := vault.Secret{
		ID: uuid.Max, Name: "OPENAI_API_KEY", Provider: "openai",
		Mask: "sk-pro" + strings.Repeat("•", 4) + "789", CreatedAt: time.Now(),
	}
	all := make([]vault.Secret, 50)
	for i := range all {
		all[i] = s
	}
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			shownSecret(s).appendTo(nil)
		}
	})
	b.Run("list of 50", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			secretList(all).appendTo(nil)
		}
	})
}
