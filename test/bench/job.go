package main

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"

	"github.com/keysake/keysake/test/load"
)

// The kinds of work, by their names in the figures.
const (
	creating  = "create"
	reading   = "read"
	listing   = "list"
	leasing   = "lease of 5"
	redeeming = "redeem 5"
	deleting  = "delete"
	revoking  = "revoke" // an API key
	rotating  = "create, rotating"
)

// A job is a stream of requests of one kind.
type job struct {
	name   string
	want   string // the status of the answer
	supply int    // how many requests there are; 0 for any number

	// next writes the next request over buf and returns it; nil if there is none left.
	next func(buf []byte) []byte
}

// counted makes a job of requests that are numbered from 0.
func counted(name, want string, supply int, nth func(buf []byte, n int) []byte) job {
	var next atomic.Int64
	return job{name, want, supply, func(buf []byte) []byte {
		n := int(next.Add(1)) - 1
		if supply > 0 && n >= supply {
			return nil
		}
		return nth(buf, n)
	}}
}

// atMost returns the job with fewer requests.
func (j job) atMost(n int) job {
	return counted(j.name, j.want, n, func(buf []byte, _ int) []byte { return j.next(buf) })
}

func (l *library) creates() job { return counted(creating, "201", 0, l.create) }
func (l *library) reads() job   { return job{reading, "200", 0, l.read} }
func (l *library) lists() job   { return job{listing, "200", 0, l.list} }
func (l *library) leases() job  { return job{leasing, "201", 0, l.bundle} }

// deletes skips those that were deleted before.
func (l *library) deletes(skip, most int) job {
	supply := min(most, l.secrets()-kept*len(l.readers)-skip)
	return counted(deleting, "204", supply, func(buf []byte, n int) []byte {
		return l.delete(buf, skip+n)
	})
}

// revokes has one for each spare key of those from skip on.
func (l *library) revokes(skip, most int) job {
	spare := l.spare[skip:]
	return counted(revoking, "204", min(most, len(spare)), func(buf []byte, n int) []byte {
		return load.AppendRequest(buf, "DELETE", "/api/v1/user/api-keys/self", spare[n], "")
	})
}

// redeems makes tickets and returns the job that redeems them.
func (l *library) redeems(ctx context.Context, server *load.Process, n int) (job, error) {
	tickets := make([]string, n)
	api, err := server.API()
	if err != nil {
		return job{}, err
	}
	defer api.Close()
	err = load.Each(n, func(i int) error {
		r := l.anyReader()
		body, err := api.Do(ctx, "POST", load.LeasesPath, r.token,
			`{"delivery":"ticket",`+r.someIDs()+"}")
		var made struct{ Ticket string }
		err = errors.Join(err, json.Unmarshal(body, &made))
		tickets[i] = made.Ticket
		return err
	})
	return counted(redeeming, "200", n, func(buf []byte, n int) []byte {
		return load.AppendRequest(buf, "POST", load.RedeemPath, tickets[n], "{"+l.anyKey()+"}")
	}), err
}
