package client_test

import (
	"testing"

	"github.com/keysake/keysake/bundle"
	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// leased takes two leases of a secret, by a bundle and by a ticket, and opens both.
func leased(t *testing.T, c *client.Client, id, want string) {
	t.Helper()
	for _, delivery := range []string{wire.DeliveryBundle, wire.DeliveryTicket} {
		k, err := bundle.NewKey(bundle.XWing)
		apptest.Must(t, err)
		to := k.Recipient().String()
		in := wire.CreateLease{SecretIDs: []string{id}, Delivery: delivery, Recipient: &to}
		if delivery == wire.DeliveryTicket {
			in.Recipient = nil
		}
		lease, err := c.CreateLease(t.Context(), in)
		apptest.Must(t, err)
		if lease.Ticket != "" {
			lease, err = c.RedeemTicket(t.Context(), plaintext.FromString(lease.Ticket),
				wire.RedeemTicket{Recipient: to})
			apptest.Must(t, err)
		}
		got, err := client.OpenBundle(k, *lease.Bundle)
		if err != nil || len(got.Secrets) != 1 || string(got.Secrets[0].Value.Reveal()) != want {
			t.Errorf("%s: another value: %v", delivery, err)
		}
	}
}

// flow does everything that carries a value, and returns the values.
func flow(t *testing.T, c *client.Client) []string {
	t.Helper()
	values := []string{hidden + "-of-a-create", hidden + "-of-a-preset", hidden + "-of-an-update"}
	ctx := t.Context()
	made, err := c.CreateSecret(ctx,
		wire.CreateSecret{Name: "A", Value: plaintext.FromString(values[0])})
	apptest.Must(t, err)
	apptest.Must(t, second(c.CreateFromPreset(ctx,
		wire.CreateFromPreset{Provider: "openai", Value: plaintext.FromString(values[1])})))
	apptest.Must(t, second(c.UpdateSecret(ctx, made.ID,
		wire.UpdateSecret{Value: plaintext.FromString(values[2])})))
	leased(t, c, made.ID, values[2])
	return values
}

func TestWhoRecordsEverythingOnTheWaySeesNoValue(t *testing.T) {
	srv := apptest.Start(t)
	for _, sealed := range []bool{true, false} {
		var opts []client.Option
		if !sealed {
			opts = append(opts, client.WithoutSealing())
		}
		r := apptest.Record(t, srv.URL)
		key := srv.NewUser(t, map[bool]string{true: "mia", false: "ada"}[sealed])
		c, err := client.New(r.URL, key, opts...)
		apptest.Must(t, err)
		for _, value := range flow(t, c) {
			switch form := r.Saw(value); {
			case sealed && form != "":
				t.Errorf("a value goes by %s", form)
			case !sealed && form == "":
				t.Error("the recorder sees nothing even where nothing is sealed")
			}
		}
		if r.Saw("POST /api/v1/user/secrets") == "" {
			t.Error("the recorder sees nothing")
		}
	}
}
