package broker_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/vault"
)

// paramOf is the value of a param of hosts in these tests.
func paramOf(id string) string {
	return map[string]string{"resource": "any", "region": "eu-west-1"}[id]
}

func TestAHostWithAParameterIsThatOfTheLeaseAlone(t *testing.T) {
	t.Parallel()
	s := startRemembering(t)
	with := func(name, value string) lease {
		return s.lease("azure_openai", func(g *vault.Grant) {
			g.Limits.Params = map[string]string{name: value}
			g.Granted = []vault.GrantedSecret{{Provider: g.Provider}}
		})
	}
	own := with("resource", "any")
	for _, c := range []struct {
		lease      lease
		host, want string
	}{
		{own, "", "200 any.openai.azure.com"},
		{own, "@any.openai.azure.com/", "200 any.openai.azure.com"},
		{own, "@any.services.ai.azure.com/", "200 any.services.ai.azure.com"},
		{own, "@other.openai.azure.com/", "403 host"},
		{own, "@any.openai.azure.com.evil.example/", "403 host"},
		{own, "@openai.azure.com/", "403 host"},
		{with("region", "any"), "", "403 parameter"},
		{with("resource", "evil.example/"), "", "403 parameter"},
		{with("resource", "a.b"), "", "403 parameter"},
		{with("resource", ""), "@any.openai.azure.com/", "403 parameter"},
	} {
		h := http.Header{"Api-Key": {c.lease.placeholder}}
		got := s.ask("GET", "/azure_openai/"+c.host+"openai/v1/models", h, nil)
		arrived, _ := s.last()
		if text := fmt.Sprint(got.status, " ", arrived.host+got.rule()); text != c.want {
			t.Errorf("%s: %s, want %s", c.host, text, c.want)
		}
	}
	trust, root := s.authority(own)
	if fmt.Sprint(root.PermittedDNSDomains) != "[any.openai.azure.com "+
		"any.cognitiveservices.azure.com any.services.ai.azure.com]" {
		t.Errorf("the authority is for %v", root.PermittedDNSDomains)
	}
	got, err := get(s.through(own, trust, false), "https://any.openai.azure.com/openai/v1/models",
		http.Header{"Api-Key": {own.placeholder}})
	if err != nil || !strings.HasPrefix(got, "200 ") {
		t.Errorf("by the proxy: %s %v", got, err)
	}
	other := "https://other.openai.azure.com/"
	if _, err := get(s.through(own, trust, false), other, nil); err == nil {
		t.Error("another resource is reached by the proxy")
	}
}
