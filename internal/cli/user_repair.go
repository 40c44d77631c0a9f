package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/maintenance"
)

const usersRepairLong = `Repair a user who is listed as "tampered with", where no
backup has the user. With a backup, use "keysake restore --user": it believes
nothing of what the database has.

The signed ledger of such a user does not verify, so that nothing says which rows
are the user's current ones. This shows every secret and old version that opens by
itself, with its time and mask, what is left out, and which owner keys the audit
log names. You compare that with what the user knows, and confirm it; --yes does
so unseen. Then there is a new ledger of just that. It can bring an old value
back: somebody who can write the database may have put it there. Nothing vouches
for the user's name either: ask the user about the secrets, not only about the
name.

No API key and no ticket of the user survives, and a new owner key seals every
value. The user is listed as repaired until they have looked through their secrets
and run "keysake confirm".

This works on a data folder that no server runs on: stop it first. Servers on
PostgreSQL go on. It needs the root key. Make a copy of the database before.`

func newUsersRepair(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "repair NAME|ID",
		Short:   "Repair a user whose data was changed (for operators)",
		Long:    usersRepairLong,
		Example: "  keysake users repair mia --data /var/lib/keysake/data",
		Args:    exactlyOne("the user's NAME or ID"),
	}
	settings := localSettings(cmd)
	yes := yesFlag(cmd)
	asJSON := jsonFlag(cmd)
	cmd.RunE = a.local(settings, func(ctx context.Context, cfg config.Config, args []string) error {
		if err := a.canConfirm(*yes); err != nil {
			return err
		}
		done, err := maintenance.RepairUser(ctx, cfg, a.passphrase, args[0],
			func(plan maintenance.RepairedUser) error {
				if !*asJSON {
					if err := a.tellRepair(plan); err != nil {
						return err
					}
				}
				return a.confirm(ctx, *yes, fmt.Sprintf(
					"Are these, and no others, the secrets of %s?", plan.User))
			})
		if err != nil {
			return err
		}
		if *asJSON {
			return a.printJSON(done)
		}
		a.infof("Repaired. Create an API key for %s with keysake api-keys create --user %s; "+
			"the user confirms with keysake confirm.", done.User, done.User)
		return nil
	})
	return cmd
}

// tellRepair shows what a repair takes and what it leaves out.
func (a *app) tellRepair(plan maintenance.RepairedUser) error {
	named := "does not name the user"
	if len(plan.NamedInLog) > 0 {
		named = "calls the user " + strings.Join(plan.NamedInLog, ", ")
	}
	a.infof("User %s, %s. Nothing vouches for the name; the audit log %s.", plan.User, plan.ID,
		named)
	for _, k := range plan.OwnerKeys {
		a.infof("Owner key %s: opens: %s, used: %s, in the audit log: %s", k.ID, yesNo(k.Opens),
			yesNo(k.Used), k.Log)
	}
	rows := grid{{"NAME", "VERSION", "CURRENT", "CREATED", "MASKED VALUE"}}
	for _, v := range plan.Versions {
		rows = append(rows, []string{
			v.Name, fmt.Sprint(v.Version), yesNo(v.Current), v.CreatedAt.Format(timeLayout), v.Mask,
		})
	}
	if err := a.printGrid(rows); err != nil {
		return err
	}
	for _, left := range plan.LeftOut {
		a.infof("Left out: %s", left)
	}
	a.infof("%s will be removed. Of the audit log %s will be kept that no ledger vouches for, "+
		"and %s lost.", count(plan.APIKeys, "API key", "API keys"),
		count(plan.UnprovedEntries, "entry", "entries"),
		count(plan.LostEntries, "entry", "entries"))
	a.infof("An old value may be among these, if somebody put it back.")
	return nil
}

func newConfirm(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "confirm",
		Short: "Confirm that your secrets are yours after a repair",
		Long: `Confirm that your secrets are yours, after the operator repaired what was stored of
you. An older state of a secret may be back: compare "keysake secrets list" and
"keysake secrets versions" with what you know, and replace what is not right
first. Until then administrators see you as repaired. Needs the scope
secrets:write.`,
		Example: `  keysake secrets list
  keysake confirm`,
		Args: noArgs,
	}
	yes := yesFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := a.canConfirm(*yes); err != nil {
			return err
		}
		c, err := a.connect()
		if err != nil {
			return err
		}
		me, err := c.WhoAmI(cmd.Context())
		if err != nil {
			return err
		}
		if !me.Repaired {
			a.infof("There is nothing to confirm: you were not repaired.")
			return nil
		}
		err = a.confirm(cmd.Context(), *yes, fmt.Sprintf("Did you look through your %s?",
			count(me.Limits.Secrets.Used, "secret", "secrets")))
		if err != nil {
			return err
		}
		if err := c.ConfirmRepair(cmd.Context()); err != nil {
			return err
		}
		a.infof("Confirmed.")
		return nil
	}
	return cmd
}
