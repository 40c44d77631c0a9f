package maintenance_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/keysfile"
	"github.com/keysake/keysake/internal/maintenance"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

func silent(int, int) {}

func rotateTo(t *testing.T, cfg config.Config, url string) int {
	t.Helper()
	cfg.RootKeys = nil
	to := maintenance.NewRootKey{URL: url}
	done, err := maintenance.RotateRootKey(t.Context(), cfg, nil, to, silent)
	if err != nil {
		t.Fatal(err)
	}
	return done.Rewrapped
}

func TestNoRequestFailsWhileKeysAreRotated(t *testing.T) {
	cfg := apptest.Config(t)
	cfg.MaxSecrets = 1 << 20
	srv := apptest.StartWith(t, cfg)
	const users, rounds = 4, 2
	var stop atomic.Bool
	var made atomic.Int64
	var all sync.WaitGroup
	for u := range users {
		c := srv.ClientWith(t, srv.NewUser(t, fmt.Sprint("user-", u)))
		all.Go(func() {
			for i := 0; !stop.Load(); i++ {
				value := plaintext.FromString(fmt.Sprintf("correct-horse-battery-staple-%d", i))
				s, err := c.CreateSecret(
					t.Context(), wire.CreateSecret{Name: fmt.Sprint("NAME_", i), Value: value},
				)
				if err != nil {
					t.Error("create:", err)
					return
				}
				if _, err := c.UpdateSecret(
					t.Context(), s.ID, wire.UpdateSecret{Value: value},
				); err != nil {
					t.Error("update:", err)
				}
				if _, err := c.GetSecret(t.Context(), s.ID); err != nil {
					t.Error("read:", err)
				}
				if i%5 == 4 { // so that the libraries stay small
					if err := c.DeleteSecret(t.Context(), s.ID); err != nil {
						t.Error("delete:", err)
					}
				}
				made.Add(1)
			}
		})
	}
	all.Go(func() {
		admin := srv.Client(t)
		for i := 0; !stop.Load(); i++ {
			// else most of the rotation would be of users that it has just made
			time.Sleep(10 * time.Millisecond)
			if _, err := admin.CreateUser(
				t.Context(), wire.CreateUser{Username: fmt.Sprint("new-", i)},
			); err != nil {
				t.Error("create user:", err)
				return
			}
		}
	})
	for round := range rounds {
		rotateTo(t, cfg, "file:"+filepath.Join(t.TempDir(), fmt.Sprint("root-", round)))
		if _, err := maintenance.RotateOwnerKeys(t.Context(), cfg, nil, "", silent); err != nil {
			t.Error(err)
		}
	}
	stop.Store(true)
	all.Wait()
	if made.Load() == 0 {
		t.Error("there was no load")
	}
	keys, err := maintenance.ListRootKeys(t.Context(), cfg)
	if err != nil || len(keys) != 1 || keys[0].State != "primary" {
		t.Fatalf("%v, %v", keys, err)
	}
}

func TestOnlyOneRotationRuns(t *testing.T) {
	cfg := apptest.Config(t)
	apptest.StartWith(t, cfg)
	lock := flock.New(filepath.Join(cfg.Data, "keysake.rotate.lock"))
	if locked, err := lock.TryLock(); err != nil || !locked {
		t.Fatal(locked, err)
	}
	next := filepath.Join(t.TempDir(), "next")
	_, err := maintenance.RotateRootKey(
		t.Context(), cfg, nil, maintenance.NewRootKey{URL: "file:" + next}, silent,
	)
	if !errors.Is(err, maintenance.ErrRotating) {
		t.Errorf("root-key rotate: %v", err)
	}
	if _, err := os.Stat(next); err == nil {
		t.Error("a key file was made")
	}
	if _, err := maintenance.RotateOwnerKeys(t.Context(), cfg, nil, "", silent); !errors.Is(
		err, maintenance.ErrRotating,
	) {
		t.Errorf("owner-key rotate: %v", err)
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	rotateTo(t, cfg, "file:"+next)
}

func TestARotationOfAllOwnerKeysThatWasInterruptedBeginsAnew(t *testing.T) {
	cfg := apptest.Config(t)
	srv := apptest.StartWith(t, cfg)
	for i := range 5 {
		srv.NewUser(t, fmt.Sprint("user-", i))
	}
	ctx, stop := context.WithCancel(t.Context())
	n, err := maintenance.RotateOwnerKeys(ctx, cfg, nil, "", func(done, _ int) {
		if done == 2 {
			stop()
		}
	})
	if !errors.Is(err, context.Canceled) || n < 2 {
		t.Fatalf("%d, %v", n, err)
	}
	again, err := maintenance.RotateOwnerKeys(t.Context(), cfg, nil, "", silent)
	if err != nil || again != 6 {
		t.Errorf("%d and then %d users of 6: %v", n, again, err)
	}
}

func TestARotationOfTheRootKeyIsCompletedFromWhereItWasInterrupted(t *testing.T) {
	cfg := apptest.Config(t)
	srv := apptest.StartWith(t, cfg)
	srv.NewUser(t, "mia")
	named := func() []string {
		f, err := keysfile.Read(cfg.DevKeysFile())
		if err != nil {
			t.Fatal(err)
		}
		return f.RootKeys
	}
	for what, interrupt := range map[string]func(url string) error{
		"the root key is known, and the keys file is as before": func(url string) error {
			before := named()
			i, err := instance.Open(
				t.Context(), cfg, instance.NewKeys(cfg, nil), instance.Shared)
			if err != nil {
				return err
			}
			root, loc, err := i.Keys.Opener.Create(t.Context(), url)
			if err == nil {
				err = i.Operator.AddRootKey(t.Context(), root, loc.URL, "")
			}
			if len(before) != 1 {
				t.Errorf("the keys file names %v", before)
			}
			return errors.Join(err, i.Close())
		},
		"nothing is rewrapped": func(url string) error {
			ctx, stop := context.WithCancel(t.Context())
			to := maintenance.NewRootKey{URL: url}
			_, err := maintenance.RotateRootKey(ctx, cfg, nil, to, func(int, int) { stop() })
			if !errors.Is(err, context.Canceled) || len(named()) != 2 || named()[0] != url {
				t.Errorf("the keys file names %v: %v", named(), err)
			}
			srv.NewUser(t, fmt.Sprint("meanwhile-", len(url)))
			return nil
		},
		"all is rewrapped, and the keys file names the old one": func(url string) error {
			before := named()[0]
			rotateTo(t, cfg, url)
			return instance.NewKeys(cfg, nil).ChangeRootKeys(func([]string) []string {
				return []string{url, before}
			})
		},
	} {
		url := "file:" + filepath.Join(t.TempDir(), "root")
		if err := interrupt(url); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		rotateTo(t, cfg, url)
		keys, err := maintenance.ListRootKeys(t.Context(), cfg)
		if err != nil || len(keys) != 1 || keys[0].URL != url || keys[0].OwnerKeys < 2 {
			t.Errorf("%s: %v, %v", what, keys, err)
		}
		checks := examine(t, cfg, maintenance.DoctorOptions{})
		for _, name := range []string{"root keys", "instance keys", "owner keys"} {
			if checks[name].Status != doctor.OK {
				t.Errorf("%s: %+v", what, checks[name])
			}
		}
	}
	srv.Stop(t)
	apptest.StartWith(t, cfg)
}

func TestAKeyServiceCanBeRotatedToAndFrom(t *testing.T) {
	apptest.NewTransit(t)
	cfg := apptest.Config(t)
	cfg.RootKeys = []string{apptest.TransitURL}
	apptest.StartWith(t, cfg).Stop(t)
	cfg.RootKeys = nil // the keys file names it
	srv := apptest.StartWith(t, cfg)
	mia := srv.NewUser(t, "mia")
	in := wire.CreateSecret{Name: "KEPT", Value: plaintext.FromString("correct-horse-battery")}
	if _, err := srv.ClientWith(t, mia).CreateSecret(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if n := rotateTo(t, cfg, "file:"+filepath.Join(t.TempDir(), "root")); n != 2 {
		t.Errorf("%d owner keys", n)
	}
	srv.NewUser(t, "max")
	if n := rotateTo(t, cfg, apptest.TransitURL); n != 3 {
		t.Errorf("%d owner keys", n)
	}
	srv.NewUser(t, "leo")
	srv.Stop(t)
	cfg.Dev, cfg.Keys, cfg.RootKeys = false, cfg.DevKeysFile(), nil
	srv = apptest.StartWith(t, cfg)
	if list, err := srv.ClientWith(t, mia).ListSecrets(t.Context()); err != nil || list.Total != 1 {
		t.Errorf("%v, %v", list, err)
	}
}
