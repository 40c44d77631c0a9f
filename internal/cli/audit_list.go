package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/wire"
)

// An auditListing is what "audit list" was asked for.
type auditListing struct {
	client.AuditFilter

	from, to string
	user     string // by name or id; "instance" for the instance's own chain
	limit    int
	verify   bool
	head     string // that must be in the chain
	asJSON   *bool
}

func newAuditList(a *app) *cobra.Command {
	var l auditListing
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List what was done in your library, and by whom",
		Long: `List what was done in your library, newest first: changes, uses of values, and
what was refused. Needs the scope audit:read; another's log needs admin.

--verify reads the whole log instead and computes every hash again. What it prints
at the end is the head: keep it in another place, and give it to --head later, to
see that nothing before it was changed since. The server checks each page, too.`,
		Example: `  keysake audit list
  keysake audit list --secret OPENAI_API_KEY --from 2026-05-01
  keysake audit list --user mia --action secret.delete --json
  keysake audit list --verify`,
		Args: noArgs,
	}
	f := cmd.Flags()
	f.StringVar(&l.Action, "action", "", "only this `action`, such as secret.create")
	f.StringVar(&l.Secret, "secret", "", "only what was done to the secret of this `name` or id")
	f.StringVar(&l.Lease, "lease", "", "only what was done with the lease of this `id`")
	f.StringVar(&l.Run, "run", "", "only what was done for the run of this `id`")
	f.StringVar(&l.from, "from", "", "not before this `time`: 2026-05-01, or RFC 3339")
	f.StringVar(&l.to, "to", "", "before this `time`")
	f.StringVar(&l.user, "user", "", "the log of this user, by `name` or id, or \"instance\"")
	f.IntVar(&l.limit, "limit", 50, "at most this `number` of entries; 0 for all")
	f.BoolVar(&l.verify, "verify", false, "verify the whole log instead")
	f.StringVar(&l.head, "head", "", "with --verify: a `head` that was printed earlier")
	l.asJSON = jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return a.auditList(cmd.Context(), l) }
	return cmd
}

func (a *app) auditList(ctx context.Context, l auditListing) error {
	if l.limit < 0 {
		return usagef("--limit must be 0 or more")
	}
	if err := l.readTimes(); err != nil {
		return err
	}
	filtered := l.AuditFilter != client.AuditFilter{}
	switch {
	case l.verify && (filtered || *l.asJSON):
		return usagef("--verify reads the whole log: give no filter and no --json")
	case l.head != "" && !l.verify:
		return usagef("--head goes with --verify")
	}
	c, err := a.connect()
	if err != nil {
		return err
	}
	if l.Secret != "" {
		if l.Secret, err = secretID(ctx, c, l.Secret); err != nil {
			return err
		}
	}
	read, err := l.reader(ctx, c)
	if err != nil {
		return err
	}
	if l.verify {
		return a.auditVerifyChain(ctx, read, l.head)
	}
	entries := []wire.AuditEntry{} // never null in JSON
	for page, err := range pages(ctx, read, l.AuditFilter, l.limit) {
		if err != nil {
			return err
		}
		entries = append(entries, page.Entries...)
	}
	if l.limit > 0 {
		entries = entries[:min(len(entries), l.limit)]
	}
	return show(a, entries, *l.asJSON, auditGrid)
}

func (l *auditListing) readTimes() error {
	for _, one := range []struct {
		name, text string
		to         *time.Time
	}{{"--from", l.from, &l.From}, {"--to", l.to, &l.To}} {
		at, ok := parseTime(one.text)
		if one.text != "" && !ok {
			return usagef("%s must be a date such as 2026-05-01, or a time of RFC 3339", one.name)
		}
		*one.to = at
	}
	return nil
}

// A pageReader reads a page of the chain that was asked for.
type pageReader func(context.Context, client.AuditFilter) (wire.AuditPage, error)

func (l auditListing) reader(ctx context.Context, c *client.Client) (pageReader, error) {
	user := l.user
	switch user {
	case "":
		return c.ListAudit, nil
	case "instance":
		user = ""
	default:
		id, err := auditedUser(ctx, c, user)
		if err != nil {
			return nil, err
		}
		user = id
	}
	return func(ctx context.Context, f client.AuditFilter) (wire.AuditPage, error) {
		return c.ListAnyAudit(ctx, user, f)
	}, nil
}

// auditedUser returns the id of a user by name. What is no name of a user may be the id of one who
// was deleted.
func auditedUser(ctx context.Context, c *client.Client, ref string) (string, error) {
	list, err := c.ListUsers(ctx)
	for _, u := range list.Users {
		if u.Username == ref {
			return u.ID, nil
		}
	}
	return ref, err
}

// pages follows the pages of a chain until there are at least so many entries, 0 for all.
func pages(
	ctx context.Context, read pageReader, f client.AuditFilter, limit int,
) func(yield func(wire.AuditPage, error) bool) {
	const most = 200
	return func(yield func(wire.AuditPage, error) bool) {
		f.Limit = most
		if limit > 0 {
			f.Limit = min(limit, most)
		}
		for found := 0; limit == 0 || found < limit; {
			page, err := read(ctx, f)
			found += len(page.Entries)
			if !yield(page, err) || err != nil || page.Next == nil {
				return
			}
			f.Cursor = *page.Next
		}
	}
}

func auditGrid(entries []wire.AuditEntry) grid {
	rows := grid{{"NUMBER", "AT", "ACTION", "WHAT", "CLIENT"}}
	acted := slices.ContainsFunc(entries, func(e wire.AuditEntry) bool {
		return e.OnBehalfOf != nil
	})
	if acted {
		rows[0] = append(rows[0], "BY")
	}
	for _, e := range entries {
		action, what, client := e.Action, "-", "-"
		if e.Outcome != string(audit.Done) {
			action += ", " + e.Outcome
		}
		if t := e.Target; t != nil {
			what = t.Kind
			if t.Name != nil {
				what = *t.Name
			}
			if t.Kind == "secret" && t.Version != nil {
				what += fmt.Sprint(" v", *t.Version)
			}
		}
		if e.Client != nil {
			client = *e.Client
		}
		rows = append(rows, []string{
			strconv.FormatInt(e.Seq, 10), formatTime(&e.At), action, what, client,
		})
		if acted {
			rows[len(rows)-1] = append(rows[len(rows)-1], actingText(e))
		}
	}
	return rows
}

// actingText says who did it and for whom, if these are two.
func actingText(e wire.AuditEntry) string {
	if e.OnBehalfOf == nil || e.UserID == nil {
		return "-"
	}
	by, whom := *e.UserID, *e.OnBehalfOf
	if n := e.Names; n != nil && n.Username != nil {
		by = *n.Username
	}
	if n := e.Names; n != nil && n.ForUsername != nil {
		whom = *n.ForUsername
	}
	return by + " for " + whom
}
