package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
)

// A filler puts users and secrets into a server through its API.
type filler struct {
	base  string
	admin string // token
	http  *http.Client
}

// fillers is how many requests fill at once.
const fillers = 32

// fill makes users with a secret each, and some with a list.
func fill(ctx context.Context, server *process, users int) (*library, error) {
	token, err := os.ReadFile(filepath.Join(server.data, "dev-api-key"))
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: fillers}
	defer transport.CloseIdleConnections()
	f := &filler{
		base:  "http://" + server.address,
		admin: string(token),
		http:  &http.Client{Transport: transport},
	}

	var presets struct{ Presets []struct{ Provider string } }
	body, err := f.do(ctx, "GET", secretsPath+"/presets", f.admin, "")
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
	first := `{"provider":"` + presets.Presets[0].Provider + `","value":"` + value + `"}`
	if err := each(users, func(i int) error { return f.reader(ctx, lib, i, first) }); err != nil {
		return nil, err
	}
	if err := each(listUsers, func(i int) error { return f.lister(ctx, lib, i) }); err != nil {
		return nil, err
	}
	return lib, f.sample(ctx, lib, first)
}

// each calls do for the numbers below n, some at once.
func each(n int, do func(i int) error) error {
	errs := make([]error, fillers)
	var next atomic.Int64
	var all sync.WaitGroup
	for worker := range errs {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && errs[worker] == nil; i = int(next.Add(1)) - 1 {
				errs[worker] = do(i)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// reader makes a user who has one secret, and later gets more.
func (f *filler) reader(ctx context.Context, lib *library, i int, first string) error {
	token, err := f.user(ctx, fmt.Sprintf("reader-%d", i))
	if err != nil {
		return err
	}
	id, _, err := f.make(ctx, secretsPath+"/preset", token, first)
	lib.tokens[i] = token
	lib.reads[i] = appendRequest(nil, "GET", secretsPath+"/"+id, token, "")
	return err
}

// lister makes a user with a list.
func (f *filler) lister(ctx context.Context, lib *library, i int) error {
	token, err := f.user(ctx, fmt.Sprintf("lister-%d", i))
	for n := 0; n < listLength && err == nil; n++ {
		_, _, err = f.make(ctx, secretsPath, token, namedSecret(n))
	}
	lib.lists[i] = appendRequest(nil, "GET", secretsPath, token, "")
	if i == 0 && err == nil {
		lib.samples.List, err = f.do(ctx, "GET", secretsPath, token, "")
	}
	return err
}

// sample keeps an answer of each kind. The administrator owns the secret.
func (f *filler) sample(ctx context.Context, lib *library, first string) error {
	id, created, err := f.make(ctx, secretsPath+"/preset", f.admin, first)
	if err != nil {
		return err
	}
	lib.samples.Create = created
	lib.samples.Read, err = f.do(ctx, "GET", secretsPath+"/"+id, f.admin, "")
	return err
}

// user makes a user and returns a token.
func (f *filler) user(ctx context.Context, name string) (token string, err error) {
	id, _, err := f.make(ctx, "/api/v1/admin/users", f.admin, `{"username":"`+name+`"}`)
	if err != nil {
		return "", err
	}
	body, err := f.do(ctx, "POST", "/api/v1/admin/users/"+id+"/api-keys", f.admin, `{}`)
	var key struct{ Key string }
	return key.Key, errors.Join(err, json.Unmarshal(body, &key))
}

// make is do for what has an id.
func (f *filler) make(
	ctx context.Context, path, token, in string,
) (id string, body []byte, err error) {
	body, err = f.do(ctx, "POST", path, token, in)
	var made struct{ ID string }
	if err == nil {
		err = json.Unmarshal(body, &made)
	}
	return made.ID, body, err
}

// do sends one request and returns the body of the answer.
func (f *filler) do(ctx context.Context, method, path, token, in string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, f.base+path, strings.NewReader(in))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if in != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := f.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode > 299 {
		err = fmt.Errorf("%s %s: %s: %s", method, path, res.Status, bytes.TrimSpace(body))
	}
	return body, err
}
