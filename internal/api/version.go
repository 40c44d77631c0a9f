package api

import (
	"net/http"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/wire"
)

func versionBody(v vault.Version) wire.Version {
	return wire.Version{
		Number:    int64(v.Number), //nolint:gosec // the database keeps no greater one
		CreatedAt: wire.At(v.CreatedAt), MaskedValue: v.Mask, Current: v.Current,
	}
}

func listVersions(v *vault.Service) handler {
	return handleGet(func(r *request) (wire.VersionList, error) {
		id, err := r.pathID("secret_id")
		if err != nil {
			return wire.VersionList{}, err
		}
		versions, err := v.ListVersions(r.Context(), r.actor, id)
		return wire.VersionList{
			Versions: bodiesOf(versions, versionBody), Total: len(versions),
		}, err
	})
}

func rollbackSecret(v *vault.Service) handler {
	return handleJSON(http.StatusOK, parseRollback,
		func(r *request, number uint64) (shownSecret, error) {
			id, tags, err := r.conditional()
			if err != nil {
				return shownSecret{}, err
			}
			s, err := v.RollbackSecret(r.Context(), r.actor, id, number, tags...)
			return shownSecret(s), err
		})
}

func parseRollback(in wire.RollbackSecret) (uint64, error) {
	return vault.NewVersionNumber(in.Version)
}
