package load

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

// An API fills a server with users and secrets through its API.
type API struct {
	Admin string // the admin's API key

	base string
	http *http.Client
}

// atOnce is how many requests fill a server at once.
const atOnce = 32

// API returns the API of a server. Close ends its connections.
func (p *Process) API() (*API, error) {
	token, err := os.ReadFile(filepath.Join(p.Data, "dev-api-key"))
	return &API{
		Admin: string(token), base: "http://" + p.Address,
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: atOnce}},
	}, err
}

// Close ends the connections.
func (a *API) Close() { a.http.CloseIdleConnections() }

// Each calls do for the numbers below n, some at once.
func Each(n int, do func(i int) error) error {
	errs := make([]error, atOnce)
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

// User makes a user and returns a token.
func (a *API) User(ctx context.Context, name string) (token string, err error) {
	id, _, err := a.Make(ctx, "/api/v1/admin/users", a.Admin, `{"username":"`+name+`"}`)
	if err != nil {
		return "", err
	}
	return a.Key(ctx, id, `{}`)
}

// Key makes an API key for the user of an id, and returns the token.
func (a *API) Key(ctx context.Context, user, in string) (token string, err error) {
	body, err := a.Do(ctx, "POST", "/api/v1/admin/users/"+user+"/api-keys", a.Admin, in)
	if err != nil {
		return "", err
	}
	var key struct{ Key string }
	return key.Key, json.Unmarshal(body, &key)
}

// Make is Do for what has an id.
func (a *API) Make(
	ctx context.Context, path, token, in string,
) (id string, body []byte, err error) {
	body, err = a.Do(ctx, "POST", path, token, in)
	var made struct{ ID string }
	if err == nil {
		err = json.Unmarshal(body, &made)
	}
	return made.ID, body, err
}

// Do sends one request and returns the body of the answer.
func (a *API) Do(ctx context.Context, method, path, token, in string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, strings.NewReader(in))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if in != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := a.http.Do(req)
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
