package storetest

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

// brokeredOf is a request at the broker.
func brokeredOf(l vault.StoredLease, change func(*vault.BrokeredRequest)) vault.BrokeredRequest {
	r := vault.BrokeredRequest{
		ID: newID(), User: l.User, Lease: l.ID, Secret: l.Secrets[0].ID, At: moment(1),
		Method: "POST", Host: "api.example.org", Path: "/v1/", Status: 200, Sent: 3, Received: 4,
		Took: time.Second + time.Microsecond, Tokens: 5,
	}
	if change != nil {
		change(&r)
	}
	return r
}

func useOf(l vault.StoredLease, requests, bytes, tokens int64) vault.StoredBrokerUse {
	return vault.StoredBrokerUse{
		User: l.User, Lease: l.ID, BrokerUse: vault.BrokerUse{
			Requests: requests, Bytes: bytes, Tokens: tokens,
		},
	}
}

func keepsBrokered(s subject) {
	ann, bob := s.addUser("ann"), s.addUser("bob")
	l, other := s.addLease(ann.Owner, nil), s.addLease(bob.Owner, nil)
	first := brokeredOf(l, nil)
	refused := brokeredOf(l, func(r *vault.BrokeredRequest) {
		r.Secret, r.Status, r.Refused, r.Detail = uuid.Nil, 403, "path", "\u00e9"
	})
	last := brokeredOf(l, func(r *vault.BrokeredRequest) { r.Sent, r.Took = 1000, 0 })
	foreign := brokeredOf(other, nil)
	s.update(func(tx vault.Tx) error {
		return tx.InsertBrokered(s.ctx, []vault.BrokeredRequest{first, refused, foreign},
			[]vault.StoredBrokerUse{useOf(l, 1, 7, 5), useOf(other, 9, 9, 9)})
	})
	s.update(func(tx vault.Tx) error {
		return tx.InsertBrokered(s.ctx, []vault.BrokeredRequest{last},
			[]vault.StoredBrokerUse{useOf(l, 1, 1004, 5)})
	})
	all := []vault.BrokeredRequest{first, refused, last}
	for what, c := range map[string]struct {
		query vault.BrokeredQuery
		want  []vault.BrokeredRequest
	}{
		"all":            {vault.BrokeredQuery{Limit: 9}, all},
		"the newest two": {vault.BrokeredQuery{Limit: 2}, all[1:]},
		"newer ones":     {vault.BrokeredQuery{After: first.ID, Limit: 9}, all[1:]},
		"the next one":   {vault.BrokeredQuery{After: first.ID, Limit: 1}, all[1:2]},
		"refused":        {vault.BrokeredQuery{Refused: true, Limit: 9}, all[1:2]},
		"of a secret": {
			vault.BrokeredQuery{Secret: first.Secret, Limit: 9},
			[]vault.BrokeredRequest{first, last},
		},
	} {
		c.query.Lease = l.ID
		s.wantSame(what, s.brokered(ann.Owner, c.query), c.want)
	}
	anyLease := vault.BrokeredQuery{Secret: first.Secret, Limit: 1}
	s.wantSame("the newest of any lease", s.brokered(ann.Owner, anyLease), all[2:])
	anyLease.Refused = true
	s.wantSame("refusals of a secret that has none", s.brokered(ann.Owner, anyLease),
		[]vault.BrokeredRequest{})
	ofOthers := vault.BrokeredQuery{Lease: l.ID, Limit: 9}
	s.wantSame("another user's", s.brokered(bob.Owner, ofOthers), []vault.BrokeredRequest{})
	s.wantSame("use", got(s, readBrokerUse(l)), useOf(l, 2, 7+1004, 10))
	for _, c := range []struct {
		of   vault.BrokeredBound
		want []vault.BrokeredRequest
	}{
		{vault.BrokeredBound{Refused: true, Keep: 1}, all},
		{vault.BrokeredBound{Lease: other.ID}, all},
		{vault.BrokeredBound{Keep: 2}, all},
		{vault.BrokeredBound{Lease: l.ID, Keep: 1}, all[1:]},
		{vault.BrokeredBound{Lease: l.ID, Refused: true}, all[2:]},
	} {
		s.update(func(tx vault.Tx) error { return tx.TrimBrokered(s.ctx, ann.Owner, c.of) })
		s.wantSame(fmt.Sprintf("trimmed to %+v", c.of), s.brokered(ann.Owner,
			vault.BrokeredQuery{Lease: l.ID, Limit: 9}), c.want)
	}
	s.update(func(tx vault.Tx) error { return tx.DeleteLeases(s.ctx, ann.Owner) })
	missing(s, "use of a user who was deleted", readBrokerUse(l))
	s.wantSame("the other user's", s.brokered(bob.Owner,
		vault.BrokeredQuery{Lease: other.ID, Limit: 9}), []vault.BrokeredRequest{foreign})
}

func (s subject) brokered(user uuid.UUID, q vault.BrokeredQuery) []vault.BrokeredRequest {
	s.Helper()
	return got(s, func(ctx context.Context, r vault.Reader) ([]vault.BrokeredRequest, error) {
		return r.BrokeredRequests(ctx, user, q)
	})
}

func readBrokerUse(l vault.StoredLease) reads[vault.StoredBrokerUse] {
	return func(ctx context.Context, r vault.Reader) (vault.StoredBrokerUse, error) {
		return r.BrokerUse(ctx, l.User, l.ID)
	}
}
