package cli

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/wire"
)

func newLease(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "lease",
		Aliases: []string{"leases"},
		Short:   "Hand out tickets, and see where your secrets are",
		Long: `A lease is a grant to use some secrets in one run. "keysake run" takes one for
itself. For a program on another machine, make a ticket: it gives the secrets once,
to the first who presents it, and "lease list" shows when that was. What a run asked
of the broker ("keysake run --broker"), "lease watch" shows.`,
		Example: `  keysake lease create --ticket --preset openai --ttl 10m > ticket
  keysake lease list`,
	}
	group(cmd)
	cmd.AddCommand(newLeaseCreate(a), newLeaseList(a), newLeaseShow(a), newLeaseRevoke(a),
		newLeaseWatch(a), newLeaseExplain(a))
	return cmd
}

const defaultLeases = 50 // of a list

func newLeaseList(a *app) *cobra.Command {
	var filter client.LeaseFilter
	var secret, actFor string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List your leases",
		Long: `List your leases, the newest first. Needs the scope secrets:read.

A lease is active (its ticket has not been redeemed, or it is for the broker and has not
ended), redeemed, expired, revoked, or disputed: its ticket was presented a second time,
so somebody else has it.`,
		Example: `  keysake lease list --state active
  keysake lease list --secret OPENAI_API_KEY`,
		Args: noArgs,
	}
	f := cmd.Flags()
	f.StringVar(&filter.State, "state", "",
		"only those in this `STATE`: active, redeemed, expired, revoked or disputed")
	f.StringVarP(&secret, "secret", "s", "", "only those of the secret with this `NAME` or ID")
	f.StringVar(&filter.RunID, "run-id", "", "only those of the run with this `ID`")
	f.IntVar(&filter.Limit, "limit", 0, "at most `N` of them, up to 200 (default 50)")
	forFlag(cmd, &actFor)
	return listCommand(a, cmd, func(ctx context.Context, _ []string) (wire.LeaseList, error) {
		c, err := a.connectFor(actFor)
		if err != nil {
			return wire.LeaseList{}, err
		}
		if secret != "" {
			if filter.SecretID, err = secretID(ctx, c, secret); err != nil {
				return wire.LeaseList{}, err
			}
		}
		return findLeases(ctx, c, filter)
	}, a.leasesGrid)
}

// findLeases reads pages until there are as many leases as were asked for: a page of those that a
// filter chooses may have fewer.
func findLeases(
	ctx context.Context, c *client.Client, f client.LeaseFilter,
) (list wire.LeaseList, err error) {
	list.Leases = []wire.Lease{} // never null in JSON
	f.Limit = cmp.Or(f.Limit, defaultLeases)
	for most := f.Limit; ; f.Limit = most - len(list.Leases) {
		page, err := c.ListLeases(ctx, f)
		if err != nil {
			return wire.LeaseList{}, err
		}
		list.Leases, list.Next = append(list.Leases, page.Leases...), page.Next
		if page.Next == nil || len(list.Leases) >= most {
			return list, nil
		}
		f.Cursor = *page.Next
	}
}

func (a *app) leasesGrid(list wire.LeaseList) grid {
	if len(list.Leases) == 0 {
		a.infof("There are no such leases.")
		return nil
	}
	rows := grid{{"CREATED", "STATE", "DELIVERY", "SECRETS", "RUN", "ID"}}
	for _, l := range list.Leases {
		rows = append(rows, []string{
			formatTime(&l.CreatedAt), l.State, l.Delivery, leasedNames(l), orDash(runOf(l.Run)),
			l.ID,
		})
	}
	if list.Next != nil {
		a.infof("There are older ones: --limit 200 shows more, and --state or --secret fewer.")
	}
	return rows
}

func leasedNames(l wire.Lease) string {
	names := make([]string, len(l.Secrets))
	for i, s := range l.Secrets {
		names[i] = s.Name
	}
	return strings.Join(names, ",")
}

// runOf returns what a lease says of its run.
func runOf(r *wire.Run) string {
	if r == nil {
		return ""
	}
	var parts []string
	for _, p := range []*string{r.Label, r.ID} {
		if p != nil {
			parts = append(parts, *p)
		}
	}
	return strings.Join(parts, " ")
}

func newLeaseShow(a *app) *cobra.Command {
	var actFor string
	cmd := &cobra.Command{
		Use:     "show ID",
		Short:   "Show one lease",
		Long:    `Show one lease. Needs the scope secrets:read.`,
		Example: `  keysake lease show 01a20765-c4ff-7d38-ae4e-f7a9f0b47e56`,
		Args:    exactlyOne("the lease's ID"),
	}
	forFlag(cmd, &actFor)
	return listCommand(a, cmd, func(ctx context.Context, args []string) (wire.Lease, error) {
		c, err := a.connectFor(actFor)
		if err != nil {
			return wire.Lease{}, err
		}
		l, err := c.GetLease(ctx, args[0])
		return l, leaseError(err)
	}, leaseGrid)
}

var errNoSuchLease = errors.New(`no such lease: "keysake lease list" shows yours`)

func leaseError(err error) error {
	if hasStatus(err, http.StatusNotFound) || hasStatus(err, http.StatusUnprocessableEntity) {
		return errNoSuchLease
	}
	return err
}

func leaseGrid(l wire.Lease) grid {
	rows := grid{
		{"state", l.State},
		{"delivery", l.Delivery},
		{"secrets", leasedNames(l)},
		{"run", orDash(runOf(l.Run))},
		{"asked by", requesterText(l.RequestedBy)},
		{"created", formatTime(&l.CreatedAt)},
		{"expires", formatTime(&l.ExpiresAt)},
	}
	for _, event := range []struct {
		name string
		at   *wire.Time
	}{{"redeemed", l.RedeemedAt}, {"revoked", l.RevokedAt}, {"disputed", l.DisputedAt}} {
		if event.at != nil {
			rows = append(rows, []string{event.name, formatTime(event.at)})
		}
	}
	if l.Broker != nil {
		rows = append(rows, []string{"limits", limitsText(l.Broker.Limits)})
	}
	return append(rows, []string{"id", l.ID})
}

// requesterText says which API key asked for a lease, and whose it is if it is another user's.
func requesterText(r wire.Requester) string {
	text := r.ID + " " + r.Name
	if r.ActingUser != nil {
		text += ", of " + r.ActingUser.Username
	}
	return text
}

func newLeaseRevoke(a *app) *cobra.Command {
	var actFor string
	cmd := &cobra.Command{
		Use:   "revoke ID",
		Short: "End a lease",
		Long: `End a lease. A ticket that was not redeemed is dead at once. What was delivered
stays delivered, and the answer says what to do. Needs the scope leases:write.`,
		Example: `  keysake lease revoke 01a20765-c4ff-7d38-ae4e-f7a9f0b47e56`,
		Args:    exactlyOne("the lease's ID"),
	}
	forFlag(cmd, &actFor)
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.connectFor(actFor)
		if err != nil {
			return err
		}
		ended, err := c.RevokeLease(cmd.Context(), args[0])
		if err != nil {
			return leaseError(err)
		}
		a.infof("Revoked. %s", ended.Advice)
		return show(a, ended, *asJSON, func(r wire.RevokedLease) grid { return leaseGrid(r.Lease) })
	}
	return cmd
}
