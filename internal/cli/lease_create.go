package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/wire"
)

// A newTicket holds the arguments of "lease create".
type newTicket struct {
	choice     *choice
	ticket     bool
	ttl        time.Duration
	label, run string
	actFor     string
	asJSON     *bool
}

const leaseCreateLong = `Make a ticket for some of your secrets, and print it. It begins with kst_,
is shown only once, and gives the secrets once, to the first who presents it within
--ttl. Who has it needs nothing else but the address of the server:

  KEYSAKE_URL=https://keysake.example.org keysake run --ticket-file ticket -- COMMAND

A second try is refused, and marks the lease disputed. Needs the scopes
leases:write, and secrets:read to find names.`

func newLeaseCreate(a *app) *cobra.Command {
	in := new(newTicket)
	cmd := &cobra.Command{
		Use:   "create --ticket {-s NAME | --preset PROVIDER | --all}",
		Short: "Make a ticket",
		Long:  leaseCreateLong,
		Example: `  keysake lease create --ticket --preset openai --ttl 10m > ticket
  keysake lease create --ticket -s 'AWS_*' --label nightly --run-id 4711`,
		Args: noArgs,
	}
	in.choice = choiceFlags(cmd)
	f := cmd.Flags()
	f.BoolVar(&in.ticket, "ticket", false, "make a ticket")
	f.DurationVar(&in.ttl, "ttl", 0, "how long it is good, from 1m to 168h (default 1h0m0s)")
	f.StringVar(&in.label, "label", "", "say in the audit log what this is for")
	f.StringVar(&in.run, "run-id", "", "the `ID` of the run, to find the lease by")
	forFlag(cmd, &in.actFor)
	in.asJSON = jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.createTicket(cmd.Context(), in)
	}
	return cmd
}

func (a *app) createTicket(ctx context.Context, in *newTicket) error {
	ttl, err := ttlSeconds(in.ttl)
	switch {
	case err != nil:
		return err
	case !in.ticket:
		return usagef(`add --ticket: other leases are made by "keysake run"`)
	case in.choice.empty():
		return usagef("which secrets? Name them with --secret, --preset or --all")
	}
	c, err := a.connectFor(in.actFor)
	if err != nil {
		return err
	}
	list, err := c.ListSecrets(ctx)
	if err != nil {
		return err
	}
	chosen, err := in.choice.of(a, list.Secrets)
	if err != nil {
		return err
	}
	ids, err := idsOf(chosen)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return errors.New("no secret is chosen: no ticket is made")
	}
	body := wire.CreateLease{SecretIDs: ids, Delivery: wire.DeliveryTicket, TTLSeconds: ttl}
	if in.label != "" || in.run != "" {
		body.Run = new(wire.Run)
		for to, text := range map[**string]string{&body.Run.Label: in.label, &body.Run.ID: in.run} {
			if text != "" {
				*to = &text
			}
		}
	}
	made, err := c.CreateLease(ctx, body)
	if err != nil {
		return err
	}
	a.infof("The ticket for %s, good once and until %s, shown only now. Its lease is %s:",
		strings.Join(namesOf(chosen), ", "), formatTime(&made.ExpiresAt), made.ID)
	if *in.asJSON {
		err = a.printJSON(made)
	} else {
		err = a.print(escape(made.Ticket) + "\n")
	}
	if err != nil {
		return fmt.Errorf("the ticket was made and could not be printed: revoke %s: %w",
			made.ID, err)
	}
	return nil
}
