package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/broker"
	"github.com/keysake/keysake/wire"
)

// watchEvery is how often "lease watch" asks the server: the broker records once a second.
const watchEvery = time.Second

// watchAfter is how many times more it asks when the lease has ended, for the last requests.
const watchAfter = 2

// maxLeases is how many leases "lease watch" looks through for one of the broker's.
const maxLeases = 200

func newLeaseWatch(a *app) *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use:   "watch [ID]",
		Short: "Show what a lease asks of the broker, as it happens",
		Long: `Show each request of a lease at the broker, a line each, with its secret, its host,
how it was answered and how long that took: the newest 50, and then more as they come,
until the lease ends. Without an ID it is your newest lease for the broker. Nothing of
a header, a query or a body is recorded. Needs the scope secrets:read.`,
		Example: `  keysake lease watch
  keysake lease watch --once 01a20765-c4ff-7d38-ae4e-f7a9f0b47e56`,
		Args: atMostOne("the lease's ID"),
	}
	cmd.Flags().BoolVar(&once, "once", false, "show what there is, and end")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.connect()
		if err != nil {
			return err
		}
		l, err := a.brokerLease(cmd.Context(), c, args)
		if err != nil {
			return err
		}
		return a.watch(cmd.Context(), c, l, once, *asJSON)
	}
	return cmd
}

// brokerLease returns the lease that the argument names, or the newest one for the broker.
func (a *app) brokerLease(
	ctx context.Context, c *client.Client, args []string,
) (wire.Lease, error) {
	if len(args) > 0 {
		l, err := c.GetLease(ctx, args[0])
		return l, leaseError(err)
	}
	list, err := findLeases(ctx, c, client.LeaseFilter{Limit: maxLeases})
	if err != nil {
		return wire.Lease{}, err
	}
	for _, l := range list.Leases {
		if l.Delivery == wire.DeliveryBroker {
			a.infof("The newest lease for the broker is %s, of the run %s.", l.ID,
				orDash(runOf(l.Run)))
			return l, nil
		}
	}
	return wire.Lease{}, fmt.Errorf(`none of your newest %d leases is for the broker: `+
		`"keysake run --broker" takes one`, maxLeases)
}

// watch prints requests until the lease ends, or this program does.
func (a *app) watch(
	ctx context.Context, c *client.Client, l wire.Lease, once, asJSON bool,
) error {
	id, ended := l.ID, 0
	filter := client.RequestFilter{}
	for {
		page, err := c.LeaseRequests(ctx, id, filter)
		if err != nil {
			return leaseError(err)
		}
		for _, r := range page.Requests {
			filter.After = r.ID
			if err := a.printRequest(r, l, asJSON); err != nil {
				return err
			}
		}
		if l.State != wire.LeaseActive {
			ended++
		}
		if once || ended > watchAfter {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(watchEvery):
		}
		if l, err = c.GetLease(ctx, id); err != nil {
			return leaseError(err)
		}
	}
}

func (a *app) printRequest(r wire.BrokeredRequest, l wire.Lease, asJSON bool) error {
	if asJSON {
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		return a.print(string(line) + "\n")
	}
	return a.print(escape(requestLine(r, l)) + "\n")
}

// requestLine is a request in one line.
func requestLine(r wire.BrokeredRequest, l wire.Lease) string {
	took := (time.Duration(r.DurationMicros) * time.Microsecond).Round(time.Millisecond)
	parts := []string{
		formatTime(&r.At), orDash(secretIn(r, l)), r.Method, r.Host + r.Path,
		orDash(statusText(r.Status)), took.String(),
		fmt.Sprintf("%d B up, %d B down", r.BytesSent, r.BytesReceived),
	}
	if r.Tokens > 0 {
		parts = append(parts, fmt.Sprintf("%d tokens", r.Tokens))
	}
	if r.Refused != nil {
		parts = append(parts, "refused: "+*r.Refused)
	}
	return strings.Join(parts, "  ")
}

func statusText(status int64) string {
	if status == 0 {
		return ""
	}
	return strconv.FormatInt(status, 10)
}

// secretIn returns the name of the secret of a request.
func secretIn(r wire.BrokeredRequest, l wire.Lease) string {
	for _, s := range l.Secrets {
		if r.SecretID != nil && s.ID == *r.SecretID {
			return s.Name
		}
	}
	return ""
}

// An explained is why a request at the broker got no key.
type explained struct {
	Requests []wire.BrokeredRequest `json:"requests"`
	lease    wire.Lease
}

func newLeaseExplain(a *app) *cobra.Command {
	return listCommand(a, &cobra.Command{
		Use:   "explain [ID]",
		Short: "Show why requests of a lease got no key",
		Long: `Show the last 50 requests of a lease that the broker refused: which rule it was,
which host and which secret, and what to do. Without an ID it is your newest lease
for the broker. Needs the scope secrets:read.`,
		Example: `  keysake lease explain
  keysake lease explain 01a20765-c4ff-7d38-ae4e-f7a9f0b47e56`,
		Args: atMostOne("the lease's ID"),
	}, func(ctx context.Context, args []string) (found explained, err error) {
		c, err := a.connect()
		if err != nil {
			return explained{}, err
		}
		if found.lease, err = a.brokerLease(ctx, c, args); err != nil {
			return explained{}, err
		}
		page, err := c.LeaseRequests(ctx, found.lease.ID, client.RequestFilter{Refused: true})
		found.Requests = append([]wire.BrokeredRequest{}, page.Requests...)
		return found, leaseError(err)
	}, a.explainedGrid)
}

func (a *app) explainedGrid(e explained) grid {
	if len(e.Requests) == 0 {
		a.infof("The broker has refused no request of this lease.")
		return nil
	}
	rows := grid{{"AT", "SECRET", "REQUEST", "RULE", "WHY", "WHAT TO DO"}}
	for _, r := range e.Requests {
		var rule, detail string
		if r.Refused != nil {
			rule = *r.Refused
		}
		if r.Detail != nil {
			detail = *r.Detail
		}
		rows = append(rows, []string{
			formatTime(&r.At), orDash(secretIn(r, e.lease)), r.Method + " " + r.Host + r.Path,
			rule, orDash(detail), orDash(broker.Advice(rule)),
		})
	}
	return rows
}

// limitsText says what the broker limits of a lease.
func limitsText(l wire.BrokerLimits) string {
	var parts []string
	for _, limit := range []struct {
		n    *int64
		what string
	}{
		{l.RequestsPerMinute, "requests a minute"},
		{l.ConcurrentRequests, "at once"},
		{l.Requests, "requests"},
		{l.Bytes, "bytes"},
		{l.Tokens, "tokens"},
	} {
		if limit.n != nil {
			parts = append(parts, fmt.Sprintf("%d %s", *limit.n, limit.what))
		}
	}
	for _, list := range []*[]string{l.Methods, l.PathPrefixes} {
		if list != nil {
			parts = append(parts, strings.Join(*list, " "))
		}
	}
	if l.Egress != nil && *l.Egress == wire.EgressOpen {
		parts = append(parts, "other hosts pass")
	}
	return orDash(strings.Join(parts, ", "))
}
