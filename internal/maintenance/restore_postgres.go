package maintenance

import (
	"context"
	"errors"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
)

// fillPostgres fills a database of PostgreSQL, which no server opens before it is complete. ready
// is called before that. If it fails, the database is left empty; what an interrupted one has left,
// the next one removes.
func fillPostgres(
	ctx context.Context, cfg config.Config, load func(instance.Database) error,
	ready func() error,
) (err error) {
	db, err := instance.OpenForRestore(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	err = load(db)
	if err == nil {
		err = ready()
	}
	if err != nil {
		return errors.Join(err, db.Abandon(context.WithoutCancel(ctx)))
	}
	return db.Finish(ctx)
}
