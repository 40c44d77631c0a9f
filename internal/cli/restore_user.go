package cli

import (
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/maintenance"
)

// A userRestore is the part of the command restore that is about one user.
type userRestore struct {
	a       *app
	flags   *cobra.Command
	options maintenance.UserRestoreOptions
	keys    []string // instance keys of the backup
	yes     *bool
}

func addUserRestore(a *app, cmd *cobra.Command) *userRestore {
	u := &userRestore{a: a, flags: cmd, yes: yesFlag(cmd)}
	f := cmd.Flags()
	f.StringVar(&u.options.User, "user", "",
		"put only the user with this `NAME|ID` back, into a database that is there")
	f.BoolVar(&u.options.Replace, "replace", false,
		"with --user: also if what the database has of the user verifies")
	f.StringArrayVar(&u.keys, "backup-instance-key", nil,
		"with --user: the `ID` of the key that signed when the backup was made, if it is none of "+
			"those that are named now; repeatable")
	return u
}

// asked reports whether one user is to be restored.
func (u *userRestore) asked() bool { return u.flags.Flags().Changed("user") }

func (u *userRestore) run(
	cmd *cobra.Command, cfg config.Config, file string, asJSON bool,
) error {
	for _, other := range []string{"username", "keep-api-keys", "skip-user"} {
		if cmd.Flags().Changed(other) {
			return usagef("--user and --%s cannot be combined: give one", other)
		}
	}
	for _, text := range u.keys {
		id, err := uuid.Parse(text)
		if err != nil {
			return usagef("--backup-instance-key must be an id, as the keys file has it")
		}
		u.options.InstanceKeys = append(u.options.InstanceKeys, id)
	}
	if err := u.a.canConfirm(*u.yes); err != nil {
		return err
	}
	u.options.Confirm = func(plan maintenance.RestoredUser) error {
		if !asJSON {
			u.tell(plan)
		}
		return u.a.confirm(cmd.Context(), *u.yes, fmt.Sprintf(
			"Put %s back as the backup of %s has them?", plan.User,
			plan.CreatedAt.Format(timeLayout)))
	}
	done, err := maintenance.RestoreUser(cmd.Context(), cfg, u.a.passphrase, file, u.options)
	if err != nil {
		return err
	}
	if asJSON {
		return u.a.printJSON(done)
	}
	u.a.infof("Restored %s with %s and %s. Suspended %s: create a new one with "+
		"keysake api-keys create --user %s", done.User,
		count(done.Secrets, "secret", "secrets"),
		count(done.Versions, "old version", "old versions"),
		count(done.Suspended, "API key", "API keys"), done.User)
	return nil
}

// tell says what a restore takes away and brings back.
func (u *userRestore) tell(plan maintenance.RestoredUser) {
	if plan.Whole {
		u.a.infof("All that the database has of %s verifies, and is replaced.", plan.User)
	}
	u.a.infof("Lost, because the backup does not have them: %s", versionList(plan.Lost))
	u.a.infof("Coming back, because the database does not have them: %s", versionList(plan.Back))
	if plan.LostEntries > 0 {
		u.a.infof("Lost from the audit log: %s.", count(plan.LostEntries, "entry", "entries"))
	}
	if plan.UnprovedEntries > 0 {
		u.a.infof("Kept in the audit log, though no ledger vouches for them: %s.",
			count(plan.UnprovedEntries, "entry", "entries"))
	}
}

func versionList(versions []maintenance.NamedVersion) string {
	if len(versions) == 0 {
		return "none."
	}
	var names []string
	for _, v := range versions {
		names = append(names, fmt.Sprintf("%s version %d", orDash(v.Name), v.Version))
	}
	return strings.Join(names, ", ") + "."
}
