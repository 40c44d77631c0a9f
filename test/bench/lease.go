package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/keysake/keysake/bundle"

	"github.com/keysake/keysake/test/load"
)

// Leases are measured with this many clients, for users with this many secrets each. Programs make
// their own keys, so there are some, made before; nothing opens what is sealed to them.
const (
	leasing      = "lease of 5"
	redeeming    = "redeem 5"
	leaseClients = 16
	leasers      = 256
	leased       = 5
	recipients   = 64
)

// ticketRate is for how many redemptions a second there are tickets.
const ticketRate = 4000

// A leaser is a user with secrets for leases.
type leaser struct {
	token string
	ids   string // of its secrets, as JSON
}

// measureLeases measures leases with a bundle, and the redemption of tickets.
func measureLeases(ctx context.Context, s settings, server *load.Process, found *findings) error {
	to := make([]string, recipients)
	for i := range to {
		key, err := bundle.NewKey(bundle.XWing)
		if err != nil {
			return err
		}
		to[i] = `"recipient":"` + key.Recipient().String() + `"`
	}
	api, err := server.API()
	if err != nil {
		return err
	}
	defer api.Close()
	f := filler{api}
	users := make([]leaser, leasers)
	err = load.Each(len(users), func(i int) error { return f.leaser(ctx, &users[i], i) })
	if err != nil {
		return err
	}
	var next atomic.Int64
	bundles := job{leasing, "201", func(buf []byte) []byte {
		i := int(next.Add(1))
		u := users[i%len(users)]
		return load.AppendRequest(buf, "POST", load.LeasesPath, u.token,
			`{"delivery":"bundle","secret_ids":`+u.ids+`,`+to[i%len(to)]+`}`)
	}}
	for range s.rounds {
		one, err := drive(ctx, server, leaseClients, s.time, bundles)
		if err != nil {
			return fmt.Errorf("%s: %w", leasing, err)
		}
		found.add(leasing, leaseClients, one)
		if one, err = f.redeem(ctx, s, server, users, to); err != nil {
			return fmt.Errorf("%s: %w", redeeming, err)
		}
		found.add(redeeming, leaseClients, one)
	}
	return nil
}

// leaser makes a user with secrets.
func (f filler) leaser(ctx context.Context, u *leaser, i int) (err error) {
	if u.token, err = f.User(ctx, fmt.Sprintf("leaser-%d", i)); err != nil {
		return err
	}
	ids := make([]string, leased)
	for n := range ids {
		ids[n], _, err = f.Make(ctx, load.SecretsPath, u.token, load.NamedSecret(n))
		if err != nil {
			return err
		}
	}
	text, err := json.Marshal(ids)
	u.ids = string(text)
	return err
}

// redeem makes tickets and measures how fast they are redeemed. If there are too few for the time
// of a measurement, it fails.
func (f filler) redeem(
	ctx context.Context, s settings, server *load.Process, users []leaser, to []string,
) (sample, error) {
	tickets := make([]string, int(ticketRate*s.time.Seconds()))
	err := load.Each(len(tickets), func(i int) error {
		u := users[i%len(users)]
		body, err := f.Do(ctx, "POST", load.LeasesPath, u.token,
			`{"delivery":"ticket","secret_ids":`+u.ids+`}`)
		var made struct{ Ticket string }
		err = errors.Join(err, json.Unmarshal(body, &made))
		tickets[i] = made.Ticket
		return err
	})
	if err != nil {
		return sample{}, err
	}
	var next atomic.Int64
	return drive(ctx, server, leaseClients, s.time, job{redeeming, "200", func(buf []byte) []byte {
		i := min(int(next.Add(1))-1, len(tickets)-1)
		return load.AppendRequest(
			buf, "POST", load.RedeemPath, tickets[i], "{"+to[i%len(to)]+"}",
		)
	}})
}
