package main

import (
	"errors"
	"math/rand/v2"
	"strconv"

	"github.com/keysake/keysake/test/load"
)

// A work is one kind of request.
type work struct {
	name  string
	share int    // of 100 requests
	want  string // status
	// request writes the nth request of its kind; t is what it ends, if it ends something.
	request func(lib *library, buf []byte, n int, t thing) []byte
	// queue is where a thing that it makes waits, or where the thing that it ends has waited.
	queue func(lib *library) chan thing
	ends  bool
	id    string // the member of the answer that names what was made
}

// works is the mix. Two of three requests only read; what is made and what is ended are in balance.
var works = []work{
	{name: "read", share: 52, want: "200", request: read},
	{name: "list of 50", share: 10, want: "200", request: list},
	{name: "create", share: 8, want: "201", request: create, queue: secrets, id: "id"},
	{name: "delete", share: 8, want: "204", request: remove, queue: secrets, ends: true},
	{name: "update", share: 6, want: "200", request: update},
	{name: "lease", share: 4, want: "201", request: lease},
	{name: "ticket", share: 4, want: "201", request: ticket, queue: tickets, id: "ticket"},
	{name: "redeem", share: 4, want: "200", request: redeem, queue: tickets, ends: true},
	{name: "make a key", share: 1, want: "201", request: makeKey, queue: keys, id: "key"},
	{name: "revoke a key", share: 1, want: "204", request: revokeKey, queue: keys, ends: true},
	{name: "audit", share: 2, want: "200", request: audit},
}

// mixed returns the indexes of works in the order in which they are asked for, over and over: the
// same in every run.
func mixed() (order []int) {
	for i, w := range works {
		for range w.share {
			order = append(order, i)
		}
	}
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // an order, and no secret
	r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	return order
}

func secrets(lib *library) chan thing { return lib.created }
func tickets(lib *library) chan thing { return lib.tickets }
func keys(lib *library) chan thing    { return lib.keys }

// do sends one request, and keeps what it made.
func (lib *library) do(l *load.Link, w work, buf []byte) error {
	var t thing
	n := int(lib.serial.Add(1))
	if w.ends {
		select {
		case t = <-w.queue(lib):
		default:
			return errors.New("nothing waits for its end")
		}
	}
	answer, err := l.Exchange(w.request(lib, buf[:0], n, t), w.want)
	if err != nil || w.queue == nil || w.ends {
		return err
	}
	made := thing{member(load.Body(answer), w.id), lib.owner(w, n)}
	select {
	case w.queue(lib) <- made:
		return nil
	default:
		return errors.New("more was made than ended")
	}
}

// owner returns the token of whoever asks for the nth request.
func (lib *library) owner(w work, n int) string {
	if w.name == "make a key" {
		return lib.makers[spread(n)%len(lib.makers)]
	}
	return lib.at(n).token
}

// spread returns a number for the nth request that follows no order, so that no kind of request
// meets the same users again and again.
func spread(n int) int { return int(uint64(n) * 0x9e3779b97f4a7c15 >> 33) }

func (lib *library) at(n int) *user { return &lib.users[spread(n)%len(lib.users)] }

func read(lib *library, buf []byte, n int, _ thing) []byte {
	u := lib.at(n)
	id := u.ids[spread(n)/len(lib.users)%each]
	return load.AppendRequest(buf, "GET", load.SecretsPath+"/"+id, u.token, "")
}

func list(lib *library, buf []byte, n int, _ thing) []byte {
	return load.AppendRequest(buf, "GET", load.SecretsPath, lib.at(n).token, "")
}

func create(lib *library, buf []byte, n int, _ thing) []byte {
	body := load.NamedSecret(each + n)
	return load.AppendRequest(buf, "POST", load.SecretsPath, lib.at(n).token, body)
}

func remove(_ *library, buf []byte, _ int, t thing) []byte {
	return load.AppendRequest(buf, "DELETE", load.SecretsPath+"/"+t.id, t.token, "")
}

func update(lib *library, buf []byte, n int, _ thing) []byte {
	which := spread(n) % updated
	u := &lib.users[which%len(lib.users)]
	id := u.ids[which/len(lib.users)%each]
	return load.AppendRequest(buf, "PUT", load.SecretsPath+"/"+id, u.token,
		`{"value":"`+load.Value+strconv.Itoa(n)+`"}`)
}

func lease(lib *library, buf []byte, n int, _ thing) []byte {
	u := lib.at(n)
	return load.AppendRequest(buf, "POST", load.LeasesPath, u.token,
		`{"delivery":"bundle","secret_ids":`+u.leased+`,`+lib.recipients[n%recipients]+`}`)
}

func ticket(lib *library, buf []byte, n int, _ thing) []byte {
	u := lib.at(n)
	return load.AppendRequest(buf, "POST", load.LeasesPath, u.token,
		`{"delivery":"ticket","secret_ids":`+u.leased+`}`)
}

func redeem(lib *library, buf []byte, n int, t thing) []byte {
	body := `{` + lib.recipients[n%recipients] + `}`
	return load.AppendRequest(buf, "POST", load.RedeemPath, t.id, body)
}

const keysPath = "/api/v1/user/api-keys"

func makeKey(lib *library, buf []byte, n int, _ thing) []byte {
	token := lib.makers[spread(n)%len(lib.makers)]
	return load.AppendRequest(buf, "POST", keysPath, token,
		`{"allowed_scopes":["secrets:read"],"allow_self_revoke":true}`)
}

// revokeKey is by the key itself, so that each key is used once.
func revokeKey(_ *library, buf []byte, _ int, t thing) []byte {
	return load.AppendRequest(buf, "DELETE", keysPath+"/self", t.id, "")
}

func audit(lib *library, buf []byte, n int, _ thing) []byte {
	return load.AppendRequest(buf, "GET", "/api/v1/user/audit?limit=50", lib.at(n).token, "")
}
