package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/wire"
)

func userBody(v *vault.Service) func(vault.User) wire.User {
	return func(u vault.User) wire.User {
		return wire.User{
			ID: u.ID.String(), EmailAddress: u.Email, Username: u.Username, FullName: u.FullName,
			IsPlatformAdmin: u.Admin,
			Limits:          wire.Limits{Secrets: wire.Quota{Used: u.Secrets, Max: v.MaxSecrets()}},
			Disabled:        u.Disabled,
			DeleteAt:        wire.AtOrNull(u.DeleteAt),
			Repaired:        u.Repaired,
		}
	}
}

func whoAmI(v *vault.Service) handler {
	return handleGet(func(r *request) (wire.User, error) {
		u, err := v.WhoAmI(r.Context(), r.actor)
		return userBody(v)(u), err
	})
}

func getLimits(v *vault.Service) handler {
	return handleGet(func(r *request) (wire.Limits, error) {
		u, err := v.WhoAmI(r.Context(), r.actor)
		return userBody(v)(u).Limits, err
	})
}

// getPreferences answers for clients of the public API, which has some.
func getPreferences(v *vault.Service) handler {
	return handleGet(func(r *request) (wire.Preferences, error) {
		_, err := v.WhoAmI(r.Context(), r.actor)
		return wire.Preferences{}, err
	})
}

// listOrganizations answers with the one that a client of the public API looks for: the user's own.
func listOrganizations(v *vault.Service) handler {
	return handleGet(func(r *request) ([]wire.Organization, error) {
		u, err := v.WhoAmI(r.Context(), r.actor)
		own := wire.Organization{
			ID: u.ID.String(), Name: u.Username, Key: "personal-" + u.ID.String(),
			IsActive: !u.Disabled, MaxMembers: 1,
			CreatedAt: wire.At(u.CreatedAt), UpdatedAt: wire.At(u.CreatedAt),
		}
		return []wire.Organization{own}, err
	})
}

func confirmRepair(v *vault.Service) handler {
	return handleDelete(func(r *request) error { return v.ConfirmRepair(r.Context(), r.actor) })
}

func createUser(v *vault.Service) handler {
	return handleJSON(http.StatusCreated, parseUser,
		func(r *request, in vault.UserRequest) (wire.User, error) {
			u, err := v.CreateUser(r.Context(), r.actor, in)
			return userBody(v)(u), err
		})
}

func parseUser(in wire.CreateUser) (vault.UserRequest, error) {
	username, badName := vault.NewUsername(in.Username)
	email, badEmail := vault.NewEmail(valueOrZero(in.EmailAddress))
	return vault.UserRequest{Username: username, Email: email, Grant: valueOrZero(in.Grant)},
		vault.JoinInvalid(badName, badEmail)
}

func listUsers(v *vault.Service) handler {
	return handleGet(func(r *request) (wire.UserList, error) {
		users, err := v.ListUsers(r.Context(), r.actor)
		var broken []string
		users = slices.DeleteFunc(users, func(u vault.User) bool {
			if u.Broken {
				broken = append(broken, u.ID.String())
			}
			return u.Broken
		})
		list := wire.UserList{Users: bodiesOf(users, userBody(v)), Total: len(users)}
		list.Broken = broken
		return list, err
	})
}

func deleteUser(v *vault.Service) handler {
	return deleteEither("now", v.DeleteUser, v.DeleteUserLater)
}

func keepUser(v *vault.Service) handler    { return changeUser(v.KeepUser) }
func disableUser(v *vault.Service) handler { return changeUser(v.DisableUser) }
func enableUser(v *vault.Service) handler  { return changeUser(v.EnableUser) }

// changeUser answers an operation on the user of the path that leaves nothing to show.
func changeUser(change func(context.Context, vault.Actor, uuid.UUID) error) handler {
	return handleDelete(func(r *request) error {
		id, err := r.pathID("id")
		if err != nil {
			return err
		}
		return change(r.Context(), r.actor, id)
	})
}

func linkIdentity(v *vault.Service) handler {
	return handleJSON(http.StatusOK, parseIdentity,
		func(r *request, in vault.Identity) (wire.Identity, error) {
			id, err := r.pathID("id")
			if err == nil {
				err = v.LinkIdentity(r.Context(), r.actor, id, in)
			}
			return wire.Identity(in), err
		})
}

func parseIdentity(in wire.Identity) (vault.Identity, error) {
	identity := vault.Identity(in)
	return identity, identity.Check()
}

func unlinkIdentity(v *vault.Service) handler { return changeUser(v.UnlinkIdentity) }
