package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/keysake/keysake/bundle"
	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// example returns a client for a server with one user and one secret.
func example() (c *client.Client, stop func()) {
	const secret = `{"id":"2489e9ad-2ee2-4e00-8ec9-32d5f69181c0","name":"OPENAI_API_KEY",
		"provider":"openai","masked_value":"sk-pro••••789",
		"created_at":"2026-04-15T12:00:00Z","updated_at":"2026-04-15T12:00:00Z"}`
	server, err := bundle.NewKey(bundle.XWing)
	if err != nil {
		panic(err)
	}
	answers := map[string]string{
		"GET /sealing-key": `{"id":"k","server":"2489e9ad-2ee2-4e00-8ec9-32d5f69181c0",
			"expires_at":"2100-01-01T00:00:00Z","recipient":"` + server.Recipient().String() + `"}`,
		"GET /user":         `{"username":"mia","limits":{"secrets":{"used":1,"max":200}}}`,
		"GET /user/secrets": `{"secrets":[` + secret + `],"total":1}`,
		"GET /user/audit": `{"entries":[{"seq":3,"at":"2026-04-15T12:00:00Z",
			"action":"secret.create","outcome":"done",
			"target":{"kind":"secret","name":"OPENAI_API_KEY","version":1}}],"complete":false}`,
		"POST /user/secrets/preset": secret,
		"POST /user/api-keys":       `{"key":"ksk_…","name":"ci","allowed_scopes":["secrets:read"]}`,
		"GET /user/secrets/presets": `{"presets":[
			{"provider":"openai","env_var_name":"OPENAI_API_KEY","configured":true}]}`,
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, found := answers[r.Method+" "+strings.TrimPrefix(r.URL.Path, "/api/v1")]
		if !found {
			w.WriteHeader(http.StatusNotFound)
			body = `{"code":404,"detail":"No such secret","type":"not_found_error"}`
		}
		_, _ = io.WriteString(w, body)
	}))
	c, err = client.New(srv.URL, plaintext.FromString("ksk_example"))
	if err != nil {
		panic(err)
	}
	return c, srv.Close
}

func ExampleNew() {
	_, err := client.New("http://keysake.example.org", plaintext.FromString("ksk_example"))
	fmt.Println(err)
	// Output: client: http://keysake.example.org would carry the API key in the clear: use https
}

func ExampleClient_CreateFromPreset() {
	c, stop := example()
	defer stop()
	secret, err := c.CreateFromPreset(context.Background(), wire.CreateFromPreset{
		Provider: "openai",
		Value:    plaintext.FromString("what the provider's page shows once"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(secret.Name, secret.MaskedValue)
	// Output: OPENAI_API_KEY sk-pro••••789
}

func ExampleClient_ListSecrets() {
	c, stop := example()
	defer stop()
	list, err := c.ListSecrets(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range list.Secrets {
		fmt.Println(s.Name, s.MaskedValue, s.UpdatedAt.Format("2 January 2006"))
	}
	// Output: OPENAI_API_KEY sk-pro••••789 15 April 2026
}

func ExampleClient_ListPresets() {
	c, stop := example()
	defer stop()
	list, err := c.ListPresets(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range list.Presets {
		fmt.Println(p.Provider, "becomes", p.EnvVarName)
	}
	// Output: openai becomes OPENAI_API_KEY
}

func ExampleClient_WhoAmI() {
	c, stop := example()
	defer stop()
	me, err := c.WhoAmI(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	secrets := me.Limits.Secrets
	fmt.Printf("%s has %d of %d secrets\n", me.Username, secrets.Used, secrets.Max)
	// Output: mia has 1 of 200 secrets
}

func ExampleClient_CreateAPIKey() {
	c, stop := example()
	defer stop()
	name, scopes := "ci", []string{"secrets:read"}
	in := wire.CreateAPIKey{Name: &name, AllowedScopes: &scopes}
	made, err := c.CreateAPIKey(context.Background(), in)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(made.Name, "has", made.AllowedScopes)
	fmt.Println("the key is shown only once:", made.Key != "")
	// Output:
	// ci has [secrets:read]
	// the key is shown only once: true
}

func ExampleError() {
	c, stop := example()
	defer stop()
	_, err := c.GetSecret(context.Background(), "0198c8a6-6f43-7d0e-9d2c-5b1f0a3c7e11")
	if refused, ok := errors.AsType[*client.Error](err); ok {
		fmt.Println(refused.Status, refused.Type)
	}
	// Output: 404 not_found_error
}

func ExampleClient_ListAudit() {
	c, stop := example()
	defer stop()
	page, err := c.ListAudit(context.Background(), client.AuditFilter{Action: "secret.create"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range page.Entries {
		fmt.Println(e.Action, *e.Target.Name, e.At.Format("2 January 2006"))
	}
	// Output: secret.create OPENAI_API_KEY 15 April 2026
}

func ExampleWithIdempotencyKey() {
	c, stop := example()
	defer stop()
	// Made once and kept until the create has succeeded, so that a restart sends the same.
	ctx := client.WithIdempotencyKey(context.Background(), "import-2026-04-15-openai")
	secret, err := c.CreateFromPreset(ctx, wire.CreateFromPreset{
		Provider: "openai", Value: plaintext.FromString("what the provider's page shows once"),
	})
	fmt.Println(secret.Name, err)
	// Output: OPENAI_API_KEY <nil>
}

func ExampleWithRetries() {
	// A program that waits for nobody.
	c, err := client.New("https://keysake.example.org", plaintext.FromString("ksk_example"),
		client.WithRetries(0, 0))
	fmt.Println(c != nil, err)
	// Output: true <nil>
}
