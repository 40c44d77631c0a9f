package instance

import (
	"context"
	"strings"

	"github.com/google/uuid"
)

// RootKeyKinds returns where the configuration finds each root key: the scheme of its URL, without
// the rest, which is the operator's. A key whose id is not known without asking is left out.
func (i *Instance) RootKeyKinds(ctx context.Context) (map[uuid.UUID]string, error) {
	urls, _, err := i.Keys.Named()
	if err != nil {
		return nil, err
	}
	known, err := i.Operator.ListRootKeys(ctx)
	if err != nil {
		return nil, err
	}
	kinds := map[uuid.UUID]string{}
	for _, url := range urls {
		if id, err := i.Keys.RootKeyID(ctx, url, known); err == nil {
			kinds[id], _, _ = strings.Cut(url, ":")
		}
	}
	return kinds, nil
}
