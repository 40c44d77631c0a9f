package cli

import (
	"github.com/spf13/cobra"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
)

const migrateLong = `Bring the tables of a PostgreSQL database to the version of this
program. With --grant it lets another role read and write all rows: so the role of
the servers needs no right to create or drop anything. It does nothing if there is
nothing to do, and several may run at once.

A server whose role may create tables does the same when it starts. The file in a
data folder is always brought up to date by the server.`

func newMigrate(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Bring a PostgreSQL database to this version (for operators)",
		Long:  migrateLong,
		Example: `  keysake migrate --database-url postgres://owner@db.example.org/keysake \
    --grant keysake`,
		Args: noArgs,
	}
	settings := config.New(databaseSettings...)
	settings.AddFlags(cmd.Flags())
	role := cmd.Flags().String("grant", "",
		"the `ROLE` of the servers, which may then read and write all rows")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := settings.Load(a.env)
		if err == nil {
			err = cfg.ValidateDatabase()
		}
		if err != nil {
			return &usageError{err}
		}
		if cfg.DatabaseURL == "" {
			return usagef("--database-url is missing: the file in a data folder is brought up to " +
				"date by the server")
		}
		before, after, err := instance.Migrate(cmd.Context(), cfg, *role)
		if err != nil {
			return err
		}
		if before == after {
			a.infof("The schema has version %d already.", after)
		} else {
			a.infof("Migrated the schema from version %d to %d.", before, after)
		}
		if *role != "" {
			a.infof("%s may read and write all rows.", *role)
		}
		return nil
	}
	return cmd
}
