package maintenance

import (
	"context"
	"slices"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
)

// rotateCopies is [rotateKeysFile] where servers of other machines share the database and have
// copies of the keys file. Every one of them must open the new root key before one wraps with it.
// So each call does one step, and next says what to do before the call after it.
func rotateCopies(
	ctx context.Context, i *instance.Instance, cfg config.Config, url string,
	progress func(done, total int),
) (next string, err error) {
	named, _, err := i.Keys.Named()
	if err != nil {
		return "", err
	}
	again := copyKeysFile(cfg) + ", and then run this again"
	switch at := slices.Index(named, url); {
	case at < 0:
		return again, i.Keys.ChangeRootKeys(func(named []string) []string {
			return append(named, url)
		})
	case at > 0:
		return again, i.Keys.ChangeRootKeys(func(named []string) []string {
			return append([]string{url}, without(named, url)...)
		})
	}
	if err := rotateKeysFile(ctx, i, url, progress); err != nil || len(named) == 1 {
		return "", err
	}
	return copyKeysFile(cfg), nil
}
