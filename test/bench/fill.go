package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/keysake/keysake/test/load"
)

// A filler puts users and secrets into a server.
type filler struct{ *load.API }

// fill makes users with a secret each, and some with a list.
func fill(ctx context.Context, server *load.Process, users int) (*library, error) {
	api, err := server.API()
	if err != nil {
		return nil, err
	}
	defer api.Close()
	f := filler{api}

	var presets struct{ Presets []struct{ Provider string } }
	body, err := f.Do(ctx, "GET", load.SecretsPath+"/presets", f.Admin, "")
	if err != nil || json.Unmarshal(body, &presets) != nil || len(presets.Presets) == 0 {
		return nil, fmt.Errorf("the presets cannot be read: %w", err)
	}
	lib := &library{
		tokens: make([]string, users),
		reads:  make([][]byte, users),
		lists:  make([][]byte, listUsers),
	}
	for _, p := range presets.Presets[1:] {
		lib.presets = append(lib.presets, p.Provider)
	}
	first := `{"provider":"` + presets.Presets[0].Provider + `","value":"` + load.Value + `"}`
	err = load.Each(users, func(i int) error { return f.reader(ctx, lib, i, first) })
	if err != nil {
		return nil, err
	}
	err = load.Each(listUsers, func(i int) error { return f.lister(ctx, lib, i) })
	if err != nil {
		return nil, err
	}
	return lib, f.sample(ctx, lib, first)
}

// reader makes a user who has one secret, and later gets more.
func (f filler) reader(ctx context.Context, lib *library, i int, first string) error {
	token, err := f.User(ctx, fmt.Sprintf("reader-%d", i))
	if err != nil {
		return err
	}
	id, _, err := f.Make(ctx, load.SecretsPath+"/preset", token, first)
	lib.tokens[i] = token
	lib.reads[i] = load.AppendRequest(nil, "GET", load.SecretsPath+"/"+id, token, "")
	return err
}

// lister makes a user with a list.
func (f filler) lister(ctx context.Context, lib *library, i int) error {
	token, err := f.User(ctx, fmt.Sprintf("lister-%d", i))
	for n := 0; n < listLength && err == nil; n++ {
		_, _, err = f.Make(ctx, load.SecretsPath, token, load.NamedSecret(n))
	}
	lib.lists[i] = load.AppendRequest(nil, "GET", load.SecretsPath, token, "")
	if i == 0 && err == nil {
		lib.samples.List, err = f.Do(ctx, "GET", load.SecretsPath, token, "")
	}
	return err
}

// sample keeps an answer of each kind. The administrator owns the secret.
func (f filler) sample(ctx context.Context, lib *library, first string) error {
	id, created, err := f.Make(ctx, load.SecretsPath+"/preset", f.Admin, first)
	if err != nil {
		return err
	}
	lib.samples.Create = created
	lib.samples.Read, err = f.Do(ctx, "GET", load.SecretsPath+"/"+id, f.Admin, "")
	return err
}
