package cli_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/wire"
)

func TestAKeyThatWasRefusedAtTheBrokerIsShownInListsAndByItself(t *testing.T) {
	at1 := wire.At(time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC))
	at2 := wire.At(time.Date(2026, 11, 28, 10, 30, 0, 0, time.UTC))
	secret := wire.Secret{
		ID: uuid.NewString(), Name: "OPENAI_API_KEY", Provider: new("openai"), MaskedValue: "sk-…",
		CreatedAt: at1, UpdatedAt: at1,
	}
	health := wire.SecretHealth{
		SecretID: secret.ID, Version: 1, Outcome: new(wire.OutcomeValid), CheckedAt: &at1,
		UnusedSince: at1, WorkedAt: &at1, RefusedAt: &at2, Warnings: []string{wire.WarnSuspected},
	}
	env := at(t, func(w http.ResponseWriter, r *http.Request) {
		var answer any
		switch path := r.URL.Path; {
		case strings.HasSuffix(path, "/secrets"):
			answer = wire.SecretList{Secrets: []wire.Secret{secret}, Total: 1}
		case strings.HasSuffix(path, "/secrets/usage"):
			answer = wire.SecretUsageList{}
		case strings.HasSuffix(path, "/secrets/health"):
			answer = wire.SecretHealthList{Health: []wire.SecretHealth{health}}
		case strings.HasSuffix(path, "/health"):
			answer = health
		default:
			answer = secret
		}
		_ = json.NewEncoder(w).Encode(answer)
	})
	const says = "valid, refused at 2026-11-28 10:30:00Z (probe it)"
	if _, out, errs := run(t, env, nil, "secrets", "list"); !strings.Contains(out, says) {
		t.Errorf("the list: %s%s", out, errs)
	}
	_, out, errs := run(t, env, nil, "secrets", "show", "OPENAI_API_KEY")
	if !strings.Contains(out, says) || !strings.Contains(out, "2026-11-28 09:00:00Z") ||
		!strings.Contains(out, "last worked") {
		t.Errorf("the secret: %s%s", out, errs)
	}
}
