package api_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/wire"
)

func TestALeaseForTheBrokerSaysOnceWhatProgramsGet(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t)
	openai := into[wire.Secret](t, s.do(t, post(presetPath, me.key, openAI)).want(t, 201)).ID
	github := into[wire.Secret](t, s.do(t, post(presetPath, me.key,
		`{"provider": "github", "value": "any-value"}`)).want(t, 201)).ID
	made := into[wire.Lease](t, s.do(t, post(leasesPath, me.key, encode(t, members{
		"secret_ids": []string{openai, github}, "delivery": "broker",
		"broker": members{
			"tokens": 7, "methods": []string{"GET"}, "egress": "open", "path_prefixes": nil,
		},
	}))).want(t, 201))
	if made.State != wire.LeaseActive || made.Broker == nil || len(made.Broker.Secrets) != 2 ||
		made.Broker.URL != "http://127.0.0.1:1" {
		t.Fatalf("%+v", made.Broker)
	}
	for i, want := range []wire.BrokeredSecret{
		{
			SecretID: github, Name: "GITHUB_TOKEN", Provider: "github", Placeholder: "ghp_",
			BaseURLs: []wire.BrokerVariable{
				{Name: "GITHUB_API_URL", Path: "/github", Scheme: "any"},
			},
			Git: []wire.BrokerGit{{
				URL: "https://github.com/", Path: "/github/@github.com/", User: "x-access-token",
			}},
		},
		{
			SecretID: openai, Name: "OPENAI_API_KEY", Provider: "openai", Placeholder: "sk-proj-",
			BaseURLs: []wire.BrokerVariable{
				{Name: "OPENAI_BASE_URL", Path: "/openai/v1", Scheme: "any"},
			},
		},
	} {
		got := made.Broker.Secrets[i]
		if !strings.HasPrefix(got.Placeholder, want.Placeholder) {
			t.Errorf("%s has another form", got.Name)
		}
		if want.Provider == "github" && len(got.GH) == 0 {
			t.Error("gh is not led to the broker")
		}
		got.Placeholder, got.GH, got.Unset = want.Placeholder, nil, nil
		if len(got.Git) == 0 {
			got.Git = nil
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	shown := into[wire.Lease](t, s.do(t, get(leasesPath+"/"+made.ID, me.key)).want(t, 200))
	if shown.Broker == nil || len(shown.Broker.Secrets) > 0 || *shown.Broker.Limits.Tokens != 7 ||
		*shown.Broker.Limits.Egress != wire.EgressOpen || shown.Broker.Limits.Bytes != nil {
		t.Errorf("shown: %+v", shown.Broker)
	}
	requests := leasesPath + "/" + made.ID + "/requests"
	if none := into[wire.BrokeredRequestList](t, s.do(t, get(requests, me.key)).want(t, 200)); len(
		none.Requests) > 0 {
		t.Errorf("%d requests", len(none.Requests))
	}
	for _, bad := range []string{"?refused=1", "?after=x", "?limit=201", "?other=1"} {
		s.do(t, get(requests+bad, me.key)).want(t, 422)
	}
	revoked := into[wire.RevokedLease](t,
		s.do(t, del(leasesPath+"/"+made.ID, me.key)).want(t, 200))
	if revoked.Delivered || !strings.Contains(revoked.Advice, "No value was handed out") {
		t.Errorf("revoked: %+v", revoked)
	}
}

func TestLimitsOfALeaseThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t)
	id := into[wire.Secret](t, s.do(t, post(presetPath, me.key, openAI)).want(t, 201)).ID
	for _, bad := range []members{
		{"tokens": 0},
		{"bytes": -1},
		{"requests_per_minute": 1 << 40},
		{"methods": []string{"X"}},
		{"path_prefixes": []string{"v1"}},
		{"egress": "some"},
		{"egress": 1},
		{"other": 1},
		{"methods": "GET"},
		{"methods": []any{nil}},
	} {
		s.do(t, post(leasesPath, me.key, encode(t, members{
			"secret_ids": []string{id}, "delivery": "broker", "broker": bad,
		}))).want(t, 422)
	}
}

func TestWithoutABrokerThereAreNoLeasesForIt(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *config.Config) {
		c.BrokerURL, c.BrokerListen = "", config.NoBroker
	})
	me := s.person(t)
	id := into[wire.Secret](t, s.do(t, post(presetPath, me.key, openAI)).want(t, 201)).ID
	got := s.do(t, post(leasesPath, me.key, encode(t, members{
		"secret_ids": []string{id}, "delivery": "broker",
	})))
	got.want(t, 422)
	if !strings.Contains(string(got.body), "This server has no broker") {
		t.Errorf("it says %s", got.body)
	}
}
