package api_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/wire"
)

// sentAgain demands that an answer is another one's again.
func sentAgain(t *testing.T, first, again answer) {
	t.Helper()
	type shown struct{ status, etag, location, body any }
	of := func(a answer) shown {
		return shown{a.status, a.header.Get("ETag"), a.header.Get("Location"), string(a.body)}
	}
	if diff := cmp.Diff(of(first), of(again), cmp.AllowUnexported(shown{})); diff != "" {
		t.Errorf("answered otherwise (-first +again):\n%s", diff)
	}
}

func TestACreateWithAnIdempotencyKeyIsDoneOnce(t *testing.T) {
	t.Parallel()
	s := start(t)
	for path, body := range map[string]string{secretsPath: custom, presetPath: openAI} {
		me := s.person(t)
		create := post(path, me.key, body)
		first := s.do(t, create.with("Idempotency-Key", "my request")).want(t, 201)
		before := s.library(t, me.key)
		for range 3 {
			again := s.do(t, create.with("Idempotency-Key", "my request")).want(t, 201)
			sentAgain(t, first, again)
		}
		second := s.keyFor(t, me.id, members{})
		again := create
		again.key = second
		sentAgain(t, first, s.do(t, again.with("Idempotency-Key", "my request")))
		s.do(t, create).refused(t, 409) // without the key it is another request

		for _, other := range []string{
			strings.Replace(body, "any", "another", 1), strings.Replace(body, "{", "{ ", 1),
		} {
			got := s.do(t, post(path, me.key, other).with("Idempotency-Key", "my request"))
			got.refused(t, 422, "header.Idempotency-Key value_error")
		}
		elsewhere := map[string]string{secretsPath: presetPath, presetPath: secretsPath}[path]
		wrong := map[string]string{secretsPath: openAI, presetPath: custom}[path]
		s.do(t, post(elsewhere, me.key, wrong).with("Idempotency-Key", "my request")).
			refused(t, 422, "header.Idempotency-Key value_error")
		if diff := cmp.Diff(before[secretsPath], s.library(t, me.key)[secretsPath]); diff != "" {
			t.Errorf("something was made:\n%s", diff)
		}
	}
}

func TestAnIdempotencyKeyIsOnePrintableText(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t)
	for _, bad := range [][]string{
		{""}, {strings.Repeat("x", 129)}, {"ü"}, {"a\tb"}, {"a", "b"},
	} {
		s.do(t, post(secretsPath, me.key, custom).with("Idempotency-Key", bad...)).
			refused(t, 422, "header.Idempotency-Key string_pattern_mismatch")
	}
	long := strings.Repeat("~", 128)
	s.do(t, post(secretsPath, me.key, custom).with("Idempotency-Key", long)).want(t, 201)
}

func TestAfterAnErrorARequestIsDoneAnew(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t)
	id := s.secret(t, me.key, "ONE", "any-value")
	create := post(secretsPath, me.key, custom).with("Idempotency-Key", "k")
	s.do(t, create).refused(t, 409)
	s.do(t, del(secretsPath+"/"+id, me.key)).want(t, 204)
	made := into[wire.Secret](t, s.do(t, create).want(t, 201))
	s.do(t, put(secretsPath+"/"+made.ID, me.key, `{"value":"another-value"}`)).want(t, 200)
	again := into[wire.Secret](t, s.do(t, create).want(t, 201))
	if again.UpdatedAt != made.UpdatedAt {
		t.Error("the answer is not what it was")
	}
	s.do(t, del(secretsPath+"/"+made.ID, me.key)).want(t, 204)
	gone := into[wire.Problem](t, s.do(t, create).want(t, 409))
	if !strings.Contains(gone.Detail, "done before") {
		t.Errorf("of what is gone it says %q", gone.Detail)
	}
}

func TestOfTwinsOneIsDoneAndBothAreAnswered(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t)
	answers := make([]answer, 8)
	var twins sync.WaitGroup
	for i := range answers {
		twins.Go(func() {
			answers[i] = s.do(t, post(secretsPath, me.key, custom).with("Idempotency-Key", "twin"))
		})
	}
	twins.Wait()
	for _, a := range answers {
		a.want(t, 201)
		sentAgain(t, answers[0], a)
	}
}
