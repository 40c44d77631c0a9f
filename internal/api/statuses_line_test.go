package api_test

import (
	"testing"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// maker asks for a key that may make and revoke keys.
func maker(more members) members {
	all := members{"allowed_scopes": []string{"keys:write", "secrets:read"}}
	for name, value := range more {
		all[name] = value
	}
	return all
}

func TestARevokedKeyTakesWhatItMadeWithIt(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t)
	childID, child := s.ownKey(t, me.key, maker(nil))
	grandchildID, grandchild := s.ownKey(t, child, maker(nil))
	s.do(t, get(secretsPath, grandchild)).want(t, 200)
	s.do(t, del(keysPath+"/"+childID, me.key)).want(t, 204)
	for _, key := range []plaintext.Value{child, grandchild} {
		s.do(t, get(userPath, key)).refused(t, 401)
	}
	list := into[wire.APIKeyList](t, s.do(t, get(keysPath, me.key)).want(t, 200))
	newest := list.APIKeys[0]
	if newest.ID != grandchildID || newest.Active ||
		newest.ParentID == nil || *newest.ParentID != childID {
		t.Errorf("the list shows %+v", newest)
	}
	if first := list.APIKeys[len(list.APIKeys)-1]; !first.Active || first.ParentID != nil {
		t.Errorf("the list shows the first as %+v", first)
	}
}

func TestARevocationKeepsWhatTheKeyMadeOnlyIfItIsAsked(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t)
	oldID, old := s.ownKey(t, me.key, maker(members{"allow_self_revoke": true}))
	_, kept := s.ownKey(t, old, maker(members{"allow_self_revoke": true}))
	path := keysPath + "/" + oldID
	for _, query := range []string{
		"?keep_children=1", "?keep_children=", "?keep_children=True",
		"?keep_children=true&keep_children=true",
	} {
		s.do(t, del(path+query, me.key)).refused(t, 422, "query.keep_children bool_type")
	}
	s.do(t, del(path+"?keep_children=true", old)).refused(t, 403)  // of itself
	s.do(t, del(path+"?keep_children=true", kept)).refused(t, 403) // of what made it
	s.do(t, del(path+"?keep_children=true", me.key)).want(t, 204)
	s.do(t, get(userPath, old)).refused(t, 401)
	s.do(t, get(userPath, kept)).want(t, 200)
}

func TestAKeyRevokesNeitherWhatHasMoreScopesNorItselfNorWhatMadeIt(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t)
	wideID, _ := s.ownKey(t, me.key, members{"allowed_scopes": []string{"secrets:write"}})
	topID, top := s.ownKey(t, me.key, maker(nil))
	id, key := s.ownKey(t, top, maker(nil))
	for _, of := range []string{wideID, topID, id} {
		s.do(t, del(keysPath+"/"+of, key)).refused(t, 403)
	}
	s.do(t, get(userPath, key)).want(t, 200)
}

func TestAKeyEndsNoLaterThanItsMaker(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t)
	const end = "2098-01-01T00:00:00Z"
	_, key := s.ownKey(t, me.key, maker(members{"expires_at": end}))
	for name, c := range map[string]struct {
		asked  any
		status int
		want   string
	}{
		"nothing":     {nil, 201, end},
		"the same":    {"2098-01-01T01:00:00+01:00", 201, end},
		"earlier":     {"2097-12-31T00:00:00Z", 201, "2097-12-31T00:00:00Z"},
		"later":       {"2098-01-01T00:00:00.000001Z", 403, ""},
		"much later":  {"9999-01-01T00:00:00Z", 403, ""},
		"in the past": {"2001-01-01T00:00:00Z", 422, ""},
	} {
		got := s.do(t, post(keysPath, key, encode(t, maker(members{"expires_at": c.asked}))))
		if got.status != c.status {
			t.Errorf("%s: answered %d, want %d", name, got.status, c.status)
			continue
		}
		if c.status != 201 {
			continue
		}
		if made := into[map[string]any](t, got); made["expires_at"] != c.want {
			t.Errorf("%s: expires at %v, want %s", name, made["expires_at"], c.want)
		}
	}
}

func TestAllKeysOfAUserHaveALimitAboveTheirOwn(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *config.Config) {
		c.RateLimit, c.RateBurst = 0.001, 3
		c.UserRateLimit, c.UserRateBurst = 0.001, 5
	})
	me := s.person(t) // two requests by the admin
	_, other := s.ownKey(t, me.key, maker(nil))
	s.do(t, get(userPath, me.key)).want(t, 200).limits(t, `"key";q=3;w=3000`, "1")
	s.do(t, get(userPath, me.key)).want(t, 200)
	for range 3 { // what the key's own limit refuses is not the user's
		s.do(t, get(userPath, me.key)).refused(t, 429)
	}
	s.do(t, get(userPath, other)).want(t, 200)
	s.do(t, get(userPath, other)).want(t, 200)
	got := s.do(t, get(userPath, other))
	got.refused(t, 429)
	got.limits(t, `"user";q=5;w=5000`, "0")
	s.do(t, get(userPath, s.Key)).want(t, 200)
}
