package api_test

import (
	"strings"
	"testing"

	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// tagOf returns the entity tag of a secret.
func (s *site) tagOf(t *testing.T, key plaintext.Value, id string) string {
	t.Helper()
	tag := s.do(t, get(secretsPath+"/"+id, key)).want(t, 200).header.Get("ETag")
	if len(tag) != 18 {
		t.Fatalf("the entity tag is %q", tag)
	}
	return tag
}

func TestAChangeWithAnEntityTagChangesNoOtherState(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t)
	id := s.secret(t, me.key, "ANY", "first")
	one := secretsPath + "/" + id
	update := func(value string) call { return put(one, me.key, `{"value":"`+value+`"}`) }
	first := s.tagOf(t, me.key, id)
	if again := s.tagOf(t, me.key, id); again != first {
		t.Errorf("nothing changed, and the tag did: %s, %s", first, again)
	}
	second := s.do(t, update("second").with("If-Match", first)).want(t, 200).header.Get("ETag")
	if second == first || second != s.tagOf(t, me.key, id) {
		t.Errorf("the tags are %s, %s and %s", first, second, s.tagOf(t, me.key, id))
	}
	before := s.library(t, me.key)
	rollback := post(one+"/rollback", me.key, `{"version":1}`)
	remove := call{method: "DELETE", path: one, key: me.key}
	for _, c := range []call{update("third"), rollback, remove} {
		for _, stale := range [][]string{
			{first}, {`"99"`}, {`""`}, {"W/" + second}, {first, `"99"`}, {first + ` , "a,b"`},
		} {
			got := s.do(t, c.with("If-Match", stale...)).want(t, 412)
			if p := into[wire.Problem](t, got); p.Type != "precondition_failed_error" {
				t.Errorf("its type is %s", p.Type)
			}
		}
		for _, broken := range []string{"99", "", "*, *", second + second, `"`, `"a" b`, ","} {
			s.do(t, c.with("If-Match", broken)).
				refused(t, 422, "header.If-Match string_pattern_mismatch")
		}
		absent := c
		absent.path = strings.Replace(c.path, id, nowhere, 1)
		s.do(t, absent.with("If-Match", "*")).refused(t, 404)
	}
	after := s.library(t, me.key)
	if len(before) == 0 || after[secretsPath] != before[secretsPath] {
		t.Error("what was refused changed something")
	}
	s.do(t, update("third").with("If-Match", "*")).want(t, 200)
	third := s.tagOf(t, me.key, id)
	back := s.do(t, rollback.with("If-Match", first, second+", "+third)).want(t, 200)
	fourth := back.header.Get("ETag")
	if fourth == first || fourth == third {
		t.Error("a rollback is no new state")
	}
	s.do(t, remove.with("If-Match", `"99", ,`+fourth)).want(t, 204)
	s.do(t, get(one, me.key)).want(t, 404)
}

// Everyone reads the same state, and one change of it succeeds.
func TestOfManyWithTheSameTagOneChangesTheSecret(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t)
	id := s.secret(t, me.key, "ANY", "first")
	c := put(secretsPath+"/"+id, me.key, `{"value":"mine"}`).
		with("If-Match", s.tagOf(t, me.key, id))
	statuses := make(chan int)
	for range 16 {
		go func() { statuses <- s.do(t, c).status }()
	}
	count := map[int]int{}
	for range 16 {
		count[<-statuses]++
	}
	if count[200] != 1 || count[412] != 15 {
		t.Errorf("the answers are %v", count)
	}
}
