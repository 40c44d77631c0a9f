package api

import (
	"context"
	"net/http"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/wire"
)

func listVersions(v *vault.Service) handler {
	return give(
		func(ctx context.Context, who vault.Actor, r *http.Request) (wire.VersionList, error) {
			id, err := pathID(r, "secret_id")
			if err != nil {
				return wire.VersionList{}, err
			}
			versions, err := v.ListVersions(ctx, who, id)
			list := wire.VersionList{
				Versions: make([]wire.Version, len(versions)),
				Total:    len(versions),
			}
			for i, version := range versions {
				list.Versions[i] = wire.Version{
					Number: int64(
						version.Number,
					), //nolint:gosec // the database keeps no greater one
					CreatedAt: wire.At(
						version.CreatedAt,
					),
					MaskedValue: version.Mask,
					Current:     version.Current,
				}
			}
			return list, err
		},
	)
}

func rollbackSecret(v *vault.Service) handler {
	return take(
		http.StatusOK,
		func(ctx context.Context, who vault.Actor, r *http.Request, in wire.RollbackSecret) (wire.Secret, error) {
			id, err := pathID(r, "secret_id")
			if err != nil {
				return wire.Secret{}, err
			}
			s, err := v.RollbackSecret(
				ctx,
				who,
				id,
				uint64(in.Version),
			) //nolint:gosec // Validate wants it to be at least 1
			return secretBody(s), err
		},
	)
}
