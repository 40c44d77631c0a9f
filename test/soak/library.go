package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/keysake/keysake/bundle"
	"github.com/keysake/keysake/test/load"
)

// How large the library is, and how much of what is made is waiting for its end.
const (
	each       = 50  // secrets of a user
	leased     = 2   // secrets of a lease
	keyMakers  = 8   // users of whom nothing is asked but to make and revoke API keys
	waiting    = 512 // secrets, tickets and keys
	updated    = 512 // secrets that get new versions: soon each has as many as are kept
	recipients = 64
)

// A library is what the server was filled with. It stays as large as it is: what is made is put at
// the end of a queue, and what is deleted, redeemed or revoked is taken from its beginning.
type library struct {
	users      []user
	makers     []string // tokens of those who make API keys
	recipients []string // as JSON
	created    chan thing
	tickets    chan thing
	keys       chan thing
	serial     atomic.Int64
}

type user struct {
	token  string
	ids    []string // of the secrets
	leased string   // some ids, as JSON
}

// A thing waits for its end.
type thing struct{ id, token string }

// fill makes the users with their secrets, and what waits.
func fill(ctx context.Context, server *load.Process, users int) (*library, error) {
	api, err := server.API()
	if err != nil {
		return nil, err
	}
	defer api.Close()
	lib := &library{
		users: make([]user, users), makers: make([]string, keyMakers),
		recipients: make([]string, recipients),
		created:    make(chan thing, 2*waiting), tickets: make(chan thing, 2*waiting),
		keys: make(chan thing, 2*waiting),
	}
	for i := range lib.recipients {
		key, err := bundle.NewKey(bundle.XWing)
		if err != nil {
			return nil, err
		}
		lib.recipients[i] = `"recipient":"` + key.Recipient().String() + `"`
	}
	err = load.Each(users, func(i int) error { return lib.fillUser(ctx, api, i) })
	if err != nil {
		return nil, err
	}
	err = load.Each(keyMakers, func(i int) (err error) {
		lib.makers[i], err = maker(ctx, api, fmt.Sprintf("maker-%d", i))
		return err
	})
	if err != nil {
		return nil, err
	}
	return lib, lib.fillQueues(ctx, server)
}

func (lib *library) fillUser(ctx context.Context, api *load.API, i int) (err error) {
	u := &lib.users[i]
	if u.token, err = api.User(ctx, fmt.Sprintf("user-%d", i)); err != nil {
		return err
	}
	for n := range each {
		id, _, err := api.Make(ctx, load.SecretsPath, u.token, load.NamedSecret(n))
		if err != nil {
			return err
		}
		u.ids = append(u.ids, id)
	}
	text, err := json.Marshal(u.ids[:leased])
	u.leased = string(text)
	return err
}

// maker makes a user and returns a token that may make API keys.
func maker(ctx context.Context, api *load.API, name string) (token string, err error) {
	id, _, err := api.Make(ctx, "/api/v1/admin/users", api.Admin, `{"username":"`+name+`"}`)
	if err != nil {
		return "", err
	}
	body, err := api.Do(ctx, "POST", "/api/v1/admin/users/"+id+"/api-keys", api.Admin,
		`{"allowed_scopes":["keys:write","secrets:read"]}`)
	var key struct{ Key string }
	return key.Key, errors.Join(err, json.Unmarshal(body, &key))
}

// fillQueues makes what is ended first.
func (lib *library) fillQueues(ctx context.Context, server *load.Process) error {
	for _, o := range works {
		if o.queue == nil || o.ends {
			continue
		}
		err := load.Each(waiting, func(int) error {
			l, err := load.Dial(ctx, server.Address, time.Now().Add(patience))
			if err != nil {
				return err
			}
			defer l.Close()
			return lib.do(l, o, nil)
		})
		if err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
	}
	return nil
}

// member returns the first member of that name in a JSON document, which is a string.
func member(body []byte, name string) string {
	_, after, _ := strings.Cut(string(body), `"`+name+`":"`)
	text, _, _ := strings.Cut(after, `"`)
	return text
}
