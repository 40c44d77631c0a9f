package api

import (
	"context"
	"net/http"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/wire"
)

func userBody(u vault.User, maxSecrets int) wire.User {
	return wire.User{
		ID:              u.ID.String(),
		EmailAddress:    u.Email,
		Username:        u.Username,
		FullName:        u.FullName,
		IsPlatformAdmin: u.Admin,
		Limits:          wire.Limits{Secrets: wire.Quota{Used: u.Secrets, Max: maxSecrets}},
	}
}

func whoAmI(v *vault.Service) handler {
	return give(func(ctx context.Context, who vault.Actor, _ *http.Request) (wire.User, error) {
		u, err := v.Self(ctx, who)
		return userBody(u, v.MaxSecrets()), err
	})
}

func createUser(v *vault.Service) handler {
	return take(
		http.StatusCreated,
		func(ctx context.Context, who vault.Actor, _ *http.Request, in wire.CreateUser) (wire.User, error) {
			u, err := v.CreateUser(ctx, who, in.Username, orZero(in.EmailAddress))
			return userBody(u, v.MaxSecrets()), err
		},
	)
}

func listUsers(v *vault.Service) handler {
	return give(func(ctx context.Context, who vault.Actor, _ *http.Request) (wire.UserList, error) {
		users, err := v.ListUsers(ctx, who)
		list := wire.UserList{Users: make([]wire.User, len(users)), Total: len(users)}
		for i, u := range users {
			list.Users[i] = userBody(u, v.MaxSecrets())
		}
		return list, err
	})
}

func deleteUser(v *vault.Service) handler {
	return end(func(ctx context.Context, who vault.Actor, r *http.Request) error {
		id, err := pathID(r, "id")
		if err != nil {
			return err
		}
		return v.DeleteUser(ctx, who, id)
	})
}
