package plaintext_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/keysake/keysake/plaintext"
)

// hidden is what no printed form may show; it is no credential of anybody.
const hidden = "correct-horse-battery-staple"

type holder struct {
	Shown  plaintext.Value
	hidden plaintext.Value
	slice  []plaintext.Value
	byName map[string]plaintext.Value
	ptr    *plaintext.Value
}

func TestNothingPrintsAValue(t *testing.T) {
	v := plaintext.FromString(hidden)
	forms := map[string]any{
		"alone":   v,
		"pointer": &v,
		"slice":   []plaintext.Value{v},
		"map":     map[string]plaintext.Value{"k": v},
		"holder": holder{
			Shown:  v,
			hidden: v,
			slice:  []plaintext.Value{v},
			byName: map[string]plaintext.Value{"k": v},
			ptr:    &v,
		},
		"error": fmt.Errorf("failed with %v", v),
	}
	for name, form := range forms {
		for _, verb := range []string{
			"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%T",
		} {
			assertHidden(t, name+" "+verb, fmt.Sprintf(verb, form))
		}
		if b, err := json.Marshal(form); err == nil {
			assertHidden(t, name+" JSON", string(b))
		}
		var text, js bytes.Buffer
		slog.New(slog.NewTextHandler(&text, nil)).Info("m", "a", form)
		slog.New(slog.NewJSONHandler(&js, nil)).Info("m", "a", form)
		assertHidden(t, name+" slog text", text.String())
		assertHidden(t, name+" slog JSON", js.String())
	}
}

func assertHidden(t *testing.T, where, printed string) {
	t.Helper()
	for _, form := range []string{
		hidden, fmt.Sprintf("%x", hidden), fmt.Sprintf("%d", []byte(hidden)),
	} {
		if strings.Contains(printed, form) {
			t.Errorf("%s shows the value", where)
		}
	}
}

func TestAValueIsACopyOfWhatItWasMadeFrom(t *testing.T) {
	b := []byte(hidden)
	v := plaintext.New(b)
	clear(b)
	if string(v.Reveal()) != hidden {
		t.Error("clearing the caller's bytes changed the value")
	}
}

func TestAValueIsReadFromAJSONStringOnly(t *testing.T) {
	var v plaintext.Value
	err := json.Unmarshal([]byte(`"a\u00e9\n"`), &v)
	if err != nil || string(v.Reveal()) != "aé\n" {
		t.Fatalf("a JSON string was refused: %v", err)
	}
	for _, in := range []string{
		`null`, `1`, `true`, `["` + hidden + `"]`, `{"a":"` + hidden + `"}`,
	} {
		var v plaintext.Value
		err := v.UnmarshalJSON([]byte(in))
		if err == nil {
			t.Errorf("a JSON %c… became a value", in[0])
			continue
		}
		assertHidden(t, "the error", err.Error())
	}
}

func TestTheZeroValueIsEmpty(t *testing.T) {
	var v plaintext.Value
	if v.Len() != 0 || v.Reveal() != nil {
		t.Error("the zero value holds something")
	}
}
