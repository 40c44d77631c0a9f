package maintenance

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/floors"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/rootkey"
)

// ResetFloors accepts a database that is older than one that a server has seen, after its own
// recovery, and records that in the instance's audit chain. A running server takes it over within
// seconds. It returns the names, or the ids, of those whose data was older.
func ResetFloors(
	ctx context.Context, cfg config.Config, ask rootkey.Ask,
) (older []string, err error) {
	err = withShared(ctx, cfg, ask, func(i *instance.Instance) error {
		if _, path := i.DamagedFloors(); path == "" {
			return instance.ErrNoFloors
		}
		numbers, ids, err := i.Operator.AcceptOlder(ctx)
		if err != nil {
			return err
		}
		for err = floors.ErrBusy; errors.Is(err, floors.ErrBusy) && ctx.Err() == nil; {
			if err = i.ResetFloors(numbers); err != nil {
				time.Sleep(10 * time.Millisecond)
			}
		}
		if err != nil {
			return err
		}
		names, err := i.Operator.Usernames(ctx)
		for _, id := range ids {
			switch name, found := names[id]; {
			case id == uuid.Nil:
				older = append(older, "the instance")
			case found:
				older = append(older, name)
			default:
				older = append(older, id.String())
			}
		}
		return err
	})
	return older, err
}
