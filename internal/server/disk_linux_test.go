package server_test

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// withinASecond fails the test if something fails or takes longer.
func withinASecond(t *testing.T, what string, do func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := do(ctx); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// wantFull checks that an error is the answer of a server whose disk is full.
func wantFull(t *testing.T, what string, err error) {
	t.Helper()
	refused, ok := errors.AsType[*client.Error](err)
	if !ok || refused.Status != http.StatusServiceUnavailable ||
		refused.Type != "unavailable_error" || !strings.Contains(refused.Detail, "almost full") {
		t.Errorf("%s: %v", what, err)
	}
}

func TestOnAFullDiskRevokingAndDeletingWork(t *testing.T) {
	t.Parallel()
	dir := apptest.SmallDisk(t, "3m")
	s := apptest.Start(t, func(c *config.Config) {
		c.Data, c.DeleteDelay = filepath.Join(dir, "data"), time.Hour
	})
	admin, ctx := s.Client(t), t.Context()
	ann := s.ClientWith(t, s.NewUser(t, "ann"))
	bob, err := admin.CreateUser(ctx, wire.CreateUser{Username: "bob"})
	apptest.Must(t, err)
	newSecret := func(name string) (wire.Secret, error) {
		value := plaintext.FromString(strings.Repeat("v", 500))
		return ann.CreateSecret(ctx, wire.CreateSecret{Name: name, Value: value})
	}
	var made []wire.Secret
	for range 20 {
		one, err := newSecret("NAME_" + string(rune('A'+len(made))))
		apptest.Must(t, err)
		made = append(made, one)
	}
	leaked, err := ann.CreateAPIKey(ctx, wire.CreateAPIKey{})
	apptest.Must(t, err)
	free := apptest.FillDisk(t, dir)

	_, err = newSecret("TOO_LATE")
	wantFull(t, "a create", err)
	if status, body := get(t, "GET", s.URL+"/readyz"); status != 503 ||
		!strings.Contains(body, "almost full") {
		t.Errorf("readyz: %d %s", status, body)
	}
	if status, _ := get(t, "GET", s.URL+"/healthz"); status != 200 {
		t.Errorf("healthz: %d", status)
	}
	withinASecond(t, "revoke", func(ctx context.Context) error {
		return ann.RevokeAPIKey(ctx, leaked.ID)
	})
	for _, n := range made[1:] {
		withinASecond(t, "delete a secret", func(ctx context.Context) error {
			return ann.DeleteSecret(ctx, n.ID)
		})
	}
	withinASecond(t, "disable a user", func(ctx context.Context) error {
		return admin.DisableUser(ctx, bob.ID)
	})
	withinASecond(t, "delete a user later", func(ctx context.Context) error {
		return admin.DeleteUser(ctx, bob.ID)
	})
	withinASecond(t, "delete a user", func(ctx context.Context) error {
		return admin.DeleteUserNow(ctx, bob.ID)
	})
	s.Stop(t)

	apptest.FillDisk(t, dir)
	s = s.Restart(t)
	admin = s.Client(t)
	_, err = admin.CreateUser(ctx, wire.CreateUser{Username: "too-late"})
	wantFull(t, "a create after a restart", err)
	withinASecond(t, "delete a user after a restart", func(ctx context.Context) error {
		users, err := admin.ListUsers(ctx)
		if err != nil {
			return err
		}
		for _, u := range users.Users {
			if u.Username == "ann" {
				err = admin.DeleteUser(ctx, u.ID)
			}
		}
		return err
	})
	_, err = s.ClientWith(t, plaintext.FromString(leaked.Key)).ListSecrets(ctx)
	if refused, ok := errors.AsType[*client.Error](err); !ok || refused.Status != 401 {
		t.Errorf("the revoked key: %v", err)
	}
	free()
	_, err = admin.CreateUser(ctx, wire.CreateUser{Username: "in-time"})
	apptest.Must(t, err)
	if status, body := get(t, "GET", s.URL+"/readyz"); status != 200 {
		t.Errorf("readyz: %d %s", status, body)
	}
}
