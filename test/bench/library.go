package main

import (
	"sync/atomic"

	"github.com/keysake/keysake/test/load"
)

// How many users have a list, and how long it is.
const (
	listUsers  = 16
	listLength = 50
)

// A library is what the server was filled with, as requests that are ready to be sent.
type library struct {
	tokens  []string // of the users
	presets []string // the providers of which no user has a secret yet
	reads   [][]byte // one secret of each user
	lists   [][]byte // listLength secrets of each of listUsers more
	samples samples
}

// samples are the bodies of answers, for the bare server to give.
type samples struct{ Create, Read, List []byte }

// jobs are the three kinds of work, for one server from its first request on.
func (l *library) jobs() []job {
	var created, read, listed atomic.Int64
	return []job{
		{"create", "201", func(buf []byte) []byte { return l.create(buf, int(created.Add(1)-1)) }},
		{"read", "200", func([]byte) []byte { return l.reads[read.Add(1)%int64(len(l.reads))] }},
		{"list", "200", func([]byte) []byte { return l.lists[listed.Add(1)%int64(len(l.lists))] }},
	}
}

// create writes the request that makes the nth secret, user after user: from a preset while the
// user has one left, and under a name of its own from then on, which for the server is the same
// way.
func (l *library) create(buf []byte, n int) []byte {
	token, turn := l.tokens[n%len(l.tokens)], n/len(l.tokens)
	if turn < len(l.presets) {
		return load.AppendRequest(buf, "POST", load.SecretsPath+"/preset", token,
			`{"provider":"`+l.presets[turn]+`","value":"`+load.Value+`"}`)
	}
	return load.AppendRequest(buf, "POST", load.SecretsPath, token, load.NamedSecret(n))
}

// size returns how many secrets there were at the beginning, of readers and listers and the
// administrator.
func (l *library) size() int { return len(l.reads) + len(l.lists)*listLength + 1 }
