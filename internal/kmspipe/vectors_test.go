package kmspipe_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/kmspipe"
)

type vectors struct {
	Hello   string
	Session []struct{ Request, Answer string }
	Ends    []string
	Broken  []string
}

func readVectors(t *testing.T) (all vectors) {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.json")
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAProgramAnswersTheVectors(t *testing.T) {
	all := readVectors(t)
	for _, step := range all.Session {
		var out bytes.Buffer
		in := strings.NewReader(step.Request + "\n")
		if err := kmspipe.Serve(t.Context(), in, &out, mirror{}); err != nil {
			t.Errorf("%s: %v", step.Request, err)
		}
		want := all.Hello + "\n" + step.Answer + "\n"
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Error(diff)
		}
	}
	for _, line := range append(all.Ends, strings.Repeat("x", kmspipe.MaxLine)) {
		in := strings.NewReader(line + "\n" + all.Session[0].Request + "\n")
		var out bytes.Buffer
		if err := kmspipe.Serve(t.Context(), in, &out, mirror{}); err == nil {
			t.Errorf("%.80q is read", line)
		}
		if got := out.String(); got != all.Hello+"\n" {
			t.Errorf("%.80q is answered", line)
		}
	}
}

func TestAServerEndsAProgramWithABrokenAnswer(t *testing.T) {
	for _, line := range readVectors(t).Broken {
		how := line
		if how == "" {
			how = "\n"
		}
		_, err := helper(t, how).Unwrap(within(t, 20*time.Second), "k", []byte(plain))
		failed, ok := errors.AsType[*kmspipe.Error](err)
		if !ok || failed.Failure != kmspipe.Unavailable {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// FuzzServe shows that no input makes a program panic, hang, or write a line that is not of the
// protocol.
func FuzzServe(f *testing.F) {
	f.Add(`{"id":1,"op":"wrap","key":"mirror","data":"AAECAw==","timeout_ms":60000}` + "\n")
	f.Add(`{"id":1,"op":"wrap","key":"panics","data":"","timeout_ms":-1}` + "\n{}\n")
	f.Fuzz(func(t *testing.T, input string) {
		if strings.Contains(input, "dies") || strings.Contains(input, "slow") ||
			strings.Contains(input, `\u`) { // what ends or delays the test itself
			return
		}
		var out bytes.Buffer
		_ = kmspipe.Serve(t.Context(), strings.NewReader(input), &out, mirror{})
		for line := range strings.Lines(out.String()) {
			if len(line) > kmspipe.MaxLine || !json.Valid([]byte(line)) {
				t.Errorf("it writes %q", line)
			}
		}
	})
}
