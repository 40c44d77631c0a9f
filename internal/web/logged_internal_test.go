package web

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
)

func TestOnlyWhatHasNoCredentialIsTheOperators(t *testing.T) {
	id, gone := uuid.New(), uuid.New()
	rules := map[uuid.UUID]string{id: "evals"}
	for _, c := range []struct {
		by   audit.Credential
		want string
	}{
		{audit.Credential{}, "the operator"},
		{audit.Credential{Kind: audit.CredentialAPIKey, ID: id}, "an API key"},
		{audit.Credential{Kind: audit.CredentialSchedule}, "schedule"},
		{audit.Credential{Kind: audit.CredentialTrust, ID: id}, "the rule of trust evals"},
		{audit.Credential{Kind: audit.CredentialWorkload, ID: id}, "the rule of trust evals let in"},
		{audit.Credential{Kind: audit.CredentialTrust, ID: gone}, gone.String()},
		{audit.Credential{Kind: audit.CredentialWorkload, ID: gone}, gone.String()},
		{audit.Credential{Kind: "later", ID: id}, "of the kind later"},
	} {
		got := whoText(c.by, rules)
		if !strings.Contains(got, c.want) || c.by.Kind != "" && strings.Contains(got, "operator") {
			t.Errorf("%s: %q", c.by.Kind, got)
		}
	}
}
