package main

import (
	"math/rand/v2"
	"strings"

	"github.com/google/uuid"

	"github.com/keysake/keysake/test/load"
)

const (
	// kept is how many secrets of a reader are read and leased; the others may be deleted.
	kept = 10
	// leased is how many secrets a lease has.
	leased = 5
)

// A library is what a server was filled with.
type library struct {
	readers []reader
	writers []string // API keys of users who get secrets; of those who have none at the beginning
	spare   []string // API keys that may revoke themselves
	presets []string // providers
	keys    []string // of programs, which ask for bundles; nothing opens what is sealed to them
	samples samples
}

// A reader is a user with secrets.
type reader struct {
	token string
	ids   []uuid.UUID
}

// samples are the bodies of answers, for the bare server to give.
type samples struct{ Create, Read, List []byte }

func (l *library) secrets() (n int) {
	for _, r := range l.readers {
		n += len(r.ids)
	}
	return n
}

// anyReader returns a reader at random, as users come.
func (l *library) anyReader() *reader {
	return &l.readers[rand.IntN(len(l.readers))] //nolint:gosec // nothing depends on it
}

// anyKey returns the member of a request that names a program's key.
func (l *library) anyKey() string {
	return `"recipient":"` + l.keys[rand.IntN(len(l.keys))] + `"` //nolint:gosec // as above
}

// someIDs returns secrets for a lease, as JSON.
func (r *reader) someIDs() string {
	first := rand.IntN(min(kept, len(r.ids)) - leased + 1) //nolint:gosec // as above
	ids := make([]string, leased)
	for i := range ids {
		ids[i] = `"` + r.ids[first+i].String() + `"`
	}
	return `"secret_ids":[` + strings.Join(ids, ",") + `]`
}

// create writes the request that makes the nth secret, user after user: from a preset while the
// user has one left, and under a name of its own from then on, which for the server is the same
// way.
func (l *library) create(buf []byte, n int) []byte {
	token, turn := l.writers[n%len(l.writers)], n/len(l.writers)
	if turn < len(l.presets) {
		return load.AppendRequest(buf, "POST", load.SecretsPath+"/preset", token,
			`{"provider":"`+l.presets[turn]+`","value":"`+load.Value+`"}`)
	}
	return load.AppendRequest(buf, "POST", load.SecretsPath, token, load.NamedSecret(n))
}

func (l *library) read(buf []byte) []byte {
	r := l.anyReader()
	id := r.ids[rand.IntN(min(kept, len(r.ids)))] //nolint:gosec // as above
	return load.AppendRequest(buf, "GET", load.SecretsPath+"/"+id.String(), r.token, "")
}

func (l *library) list(buf []byte) []byte {
	return load.AppendRequest(buf, "GET", load.SecretsPath, l.anyReader().token, "")
}

// bundle writes the request for a lease whose values are in the answer.
func (l *library) bundle(buf []byte) []byte {
	r := l.anyReader()
	return load.AppendRequest(buf, "POST", load.LeasesPath, r.token,
		`{"delivery":"bundle",`+r.someIDs()+","+l.anyKey()+"}")
}

// delete writes the request that deletes the nth secret of those that are not kept; nil if there
// are not so many.
func (l *library) delete(buf []byte, n int) []byte {
	r, i := &l.readers[n%len(l.readers)], kept+n/len(l.readers)
	if i >= len(r.ids) {
		return nil
	}
	return load.AppendRequest(buf, "DELETE", load.SecretsPath+"/"+r.ids[i].String(), r.token, "")
}
