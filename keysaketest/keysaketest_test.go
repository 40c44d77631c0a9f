package keysaketest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/keysaketest"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

func TestAServerRunsForATestAndIsGoneAfterIt(t *testing.T) {
	var url string
	t.Run("with a server", func(t *testing.T) {
		s := keysaketest.Start(t)
		url = s.URL
		ann, err := s.NewUser(t.Context(), "ann")
		if err != nil {
			t.Fatal(err)
		}
		in := wire.CreateSecret{Name: "A", Value: plaintext.FromString("any-value")}
		ctx := client.WithIdempotencyKey(t.Context(), "once")
		first, err := ann.CreateSecret(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := ann.CreateSecret(ctx, in); err != nil || again != first {
			t.Errorf("sent again: %+v, %v", again, err)
		}
		few, err := s.NewUser(t.Context(), "few", "secrets:read")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := few.CreateSecret(t.Context(), in); !errors.Is(err, client.ErrDenied) {
			t.Error(err)
		}
		log, err := ann.ListAudit(t.Context(), client.AuditFilter{Action: "secret.create"})
		if err != nil || len(log.Entries) != 1 {
			t.Errorf("%d entries: %v", len(log.Entries), err)
		}
	})
	c, err := client.New(url, plaintext.Value{}, client.WithRetries(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Health(t.Context()); err == nil {
		t.Error("the server still answers")
	}
}

func Example() {
	s, err := keysaketest.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	c, err := s.Client()
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	made, err := c.CreateFromPreset(ctx, wire.CreateFromPreset{
		Provider: "openai",
		Value:    plaintext.FromString("what-the-page-of-the-provider-shows"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	var tag string
	if _, err = c.GetSecret(client.WithETag(ctx, &tag), made.ID); err != nil {
		fmt.Println(err)
		return
	}
	update := wire.UpdateSecret{Value: plaintext.FromString("the-one-that-replaces-it")}
	for range 2 {
		_, err = c.UpdateSecret(client.WithIfMatch(ctx, tag), made.ID, update)
		fmt.Println("somebody was first:", errors.Is(err, client.ErrChanged))
	}
	log, err := c.ListAudit(ctx, client.AuditFilter{Secret: made.ID})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range log.Entries {
		fmt.Println(e.Action, *e.Target.Name)
	}
	// Output:
	// somebody was first: false
	// somebody was first: true
	// secret.update OPENAI_API_KEY
	// secret.create OPENAI_API_KEY
}
