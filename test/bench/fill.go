package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/keysake/keysake/bundle"
	"github.com/keysake/keysake/test/load"
)

const (
	// imported is how many secrets of a user are stored at once. Those of the other users follow
	// before the next ones of that user, so that a library is spread over the tables as it is where
	// people add to it.
	imported = 5
	// recipients is how many programs ask for bundles.
	recipients = 64
	// fillers is how many clients fill a server.
	fillers = 32
)

// A filler fills a server through its API.
type filler struct {
	*load.API

	server *load.Process
}

// newFiller returns one with a library of nobody. It is to be closed.
func newFiller(ctx context.Context, server *load.Process) (filler, *library, error) {
	api, err := server.API()
	if err != nil {
		return filler{}, nil, err
	}
	f, l := filler{api, server}, &library{keys: make([]string, recipients)}
	for i := range l.keys {
		key, err := bundle.NewKey(bundle.XWing)
		if err != nil {
			return f, nil, err
		}
		l.keys[i] = key.Recipient().String()
	}
	var presets struct{ Presets []struct{ Provider string } }
	body, err := f.Do(ctx, "GET", load.SecretsPath+"/presets", f.Admin, "")
	if err != nil || json.Unmarshal(body, &presets) != nil || len(presets.Presets) == 0 {
		return f, nil, fmt.Errorf("the presets cannot be read: %w", err)
	}
	for _, p := range presets.Presets {
		l.presets = append(l.presets, p.Provider)
	}
	return f, l, f.sample(ctx, l)
}

// sample keeps an answer to a create and to a read. The administrator owns the secret.
func (f filler) sample(ctx context.Context, l *library) error {
	in := `{"provider":"` + l.presets[0] + `","value":"` + load.Value + `"}`
	id, created, err := f.Make(ctx, load.SecretsPath+"/preset", f.Admin, in)
	if err != nil {
		return err
	}
	l.samples.Create = created
	l.samples.Read, err = f.Do(ctx, "GET", load.SecretsPath+"/"+id, f.Admin, "")
	return err
}

// users makes users and returns a token of each, and further ones that may revoke themselves.
func (f filler) users(
	ctx context.Context, prefix string, n, spares int,
) (tokens, spare []string, err error) {
	tokens, spare = make([]string, n), make([]string, n*spares)
	return tokens, spare, load.Each(n, func(i int) error {
		in := `{"username":"` + prefix + strconv.Itoa(i) + `"}`
		id, _, err := f.Make(ctx, "/api/v1/admin/users", f.Admin, in)
		if err == nil {
			tokens[i], err = f.Key(ctx, id, `{}`)
		}
		for k := range spares {
			if err == nil {
				spare[i*spares+k], err = f.Key(ctx, id, `{"allow_self_revoke":true}`)
			}
		}
		return err
	})
}

// fill gives each of the users so many secrets, and makes them the readers of the library.
func (f filler) fill(ctx context.Context, l *library, tokens []string, each int) error {
	links := make(chan *load.Link, fillers)
	for range fillers {
		link, err := load.Dial(ctx, f.server.Address, patience())
		if err != nil {
			return err
		}
		defer link.Close()
		links <- link
	}
	err := load.Each(len(tokens)*each/imported, func(n int) error {
		link := <-links
		defer func() { links <- link }()
		request := importRequest(nil, tokens[n%len(tokens)], n/len(tokens)*imported)
		return link.Insist(ctx, request, "200")
	})
	if err != nil {
		return err
	}
	l.readers = make([]reader, len(tokens))
	return load.Each(len(tokens), func(i int) (err error) {
		l.readers[i], err = f.reader(ctx, tokens[i])
		if i == 0 && err == nil {
			l.samples.List, err = f.Do(ctx, "GET", load.SecretsPath, tokens[i], "")
		}
		return err
	})
}

// importRequest writes the request that stores some secrets, numbered from first on.
func importRequest(buf []byte, token string, first int) []byte {
	secrets := make([]string, imported)
	for i := range secrets {
		secrets[i] = strings.Replace(load.NamedSecret(first+i), "BENCH", "STORED", 1)
	}
	return load.AppendRequest(buf, "POST", load.SecretsPath+"/import", token,
		`{"secrets":[`+strings.Join(secrets, ",")+`]}`)
}

// reader returns a user with the ids of all secrets that the user has.
func (f filler) reader(ctx context.Context, token string) (reader, error) {
	body, err := f.Do(ctx, "GET", load.SecretsPath, token, "")
	if err != nil {
		return reader{}, err
	}
	var list struct{ Secrets []struct{ ID uuid.UUID } }
	if err := json.Unmarshal(body, &list); err != nil {
		return reader{}, err
	}
	r := reader{token: token}
	for _, s := range list.Secrets {
		r.ids = append(r.ids, s.ID)
	}
	return r, nil
}
