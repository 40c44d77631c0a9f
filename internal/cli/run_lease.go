package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/keysake/keysake/bundle"
	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// A leased is what a run was given.
type leased struct {
	values map[string]plaintext.Value // by the name of the secret
	set    []string                   // the secrets that become variables
	broker *brokering                 // nil where the values are here
}

// lease gets the secrets of a run: with a ticket, or by a lease of the chosen ones.
func (a *app) lease(ctx context.Context, in *running, p *plan, command string) (leased, error) {
	key, err := bundle.NewKey(bundle.XWing)
	if err != nil {
		return leased{}, err
	}
	defer key.Wipe()
	if p.ticket.Len() > 0 {
		return a.redeem(ctx, p, key)
	}
	c, err := a.connectAs(ctx, in)
	if err != nil {
		return leased{}, err
	}
	chosen, wanted, err := a.chosen(ctx, c, in, p)
	if err != nil {
		return leased{}, err
	}
	set := namesOf(chosen)
	if _, err := p.names.Variables(set); err != nil {
		return leased{}, err
	}
	if len(wanted) == 0 {
		return leased{}, nil // patterns that match nothing: there was a warning
	}
	ids, err := idsOf(wanted)
	if err != nil {
		return leased{}, err
	}
	recipient := key.Recipient().String()
	body := wire.CreateLease{
		SecretIDs: ids, Delivery: wire.DeliveryBundle, Recipient: &recipient, TTLSeconds: p.ttl,
		Run: &wire.Run{Label: labelOf(filepath.Base(command))},
	}
	if in.label != "" {
		body.Run.Label = &in.label
	}
	if in.broker {
		given, err := a.leaseAtBroker(ctx, c, in, p, body, namesOf(wanted))
		given.set = set
		return given, err
	}
	made, err := c.CreateLease(ctx, body)
	if err != nil {
		return leased{}, err
	}
	values, err := open(key, made)
	if err == nil && !slices.Equal(namesOf(wanted), namesIn(values)) {
		err = errNotAsked
	}
	return leased{values: values, set: set}, err
}

// maxLabel is the length of the longest label.
const maxLabel = 128

// labelOf returns a label if the server would take it.
func labelOf(text string) *string {
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	if text == "" || utf8.RuneCountInString(text) > maxLabel || !utf8.ValidString(text) ||
		strings.ContainsFunc(text, unprintable) {
		return nil
	}
	return &text
}

// chosen returns the secrets that become variables, and all those that are needed.
func (a *app) chosen(
	ctx context.Context, c *client.Client, in *running, p *plan,
) (chosen, wanted []wire.Secret, err error) {
	if err := a.choose(in, p); err != nil {
		return nil, nil, err
	}
	list, err := c.ListSecrets(ctx)
	if err != nil {
		return nil, nil, err
	}
	if chosen, err = in.choice.of(a, list.Secrets); err != nil {
		return nil, nil, err
	}
	for _, f := range p.files {
		found, err := byRef(list.Secrets, f.secret)
		if err != nil {
			return nil, nil, fmt.Errorf("--file: %s %w", f.secret, err)
		}
		chosen = tidy(append(chosen, found...))
	}
	wanted = slices.Clone(chosen)
	for _, t := range p.template {
		for _, name := range t.value.Secrets() {
			found, err := byRef(list.Secrets, name)
			if err != nil {
				return nil, nil, fmt.Errorf("--env-file: line %d: %s %w", t.line, name, err)
			}
			wanted = append(wanted, found...)
		}
	}
	wanted = tidy(wanted)
	if in.choice.from != "" && len(chosen) > 0 {
		a.infof("From %s: %s.", in.choice.from, strings.Join(namesOf(chosen), ", "))
	}
	return chosen, wanted, nil
}

// redeem gets what a ticket has. Everything in it becomes a variable.
func (a *app) redeem(ctx context.Context, p *plan, key *bundle.Key) (leased, error) {
	c, err := a.client(a.serverOnly())
	if err != nil {
		return leased{}, err
	}
	made, err := c.RedeemTicket(ctx, p.ticket, wire.RedeemTicket{
		Recipient: key.Recipient().String(),
	})
	if hasStatus(err, http.StatusUnauthorized) {
		err = errTicketEnded
	}
	if err != nil {
		return leased{}, err
	}
	values, err := open(key, made)
	if err != nil {
		return leased{}, err
	}
	given := leased{values: values, set: namesIn(values)}
	for _, name := range p.needed() {
		if _, found := values[name]; !found {
			return leased{}, fmt.Errorf(
				"the ticket has no secret %s, which --file or --env-file needs", name)
		}
	}
	_, err = p.names.Variables(given.set)
	return given, err
}

// errTicketEnded is an error of authentication.
var errTicketEnded = errors.New("the ticket is unknown, expired or revoked: ask for a new one")

var (
	errNotOpened = errors.New("the server's answer has no bundle that opens here: " +
		"the command is not started")
	errNotAsked = errors.New("the server's answer has other secrets than were asked for: " +
		"the command is not started")
)

// open opens the bundle of a lease.
func open(key *bundle.Key, made wire.Lease) (map[string]plaintext.Value, error) {
	if made.Bundle == nil || made.Bundle.Lease != made.ID {
		return nil, errNotOpened
	}
	payload, err := client.OpenBundle(key, *made.Bundle)
	if err != nil {
		return nil, errNotOpened
	}
	values := make(map[string]plaintext.Value, len(payload.Secrets))
	for _, s := range payload.Secrets {
		if checkVariable(s.Name) != nil {
			return nil, errNotAsked
		}
		values[s.Name] = s.Value
	}
	return values, nil
}

func namesOf(secrets []wire.Secret) []string {
	names := make([]string, len(secrets))
	for i, s := range secrets {
		names[i] = s.Name
	}
	return names
}
