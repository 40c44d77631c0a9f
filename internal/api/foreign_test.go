package api_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// belongings returns the ids of what a person has, by what they are.
func (s *site) belongings(t *testing.T, of person) map[string]string {
	t.Helper()
	keyID, _ := s.ownKey(t, of.key, members{"name": "spare"})
	return map[string]string{
		"a secret":   s.secret(t, of.key, "CUSTOM", "any-value"),
		"an API key": keyID,
		"the user":   of.id,
	}
}

// rows returns all that the database has of a user, except when API keys were last used.
func (s *site) rows(t *testing.T, user string) (all []string) {
	t.Helper()
	db := s.database(t)
	for table, owner := range map[string]string{
		"users": "id", "owner_keys": "user_id", "api_keys": "user_id", "secrets": "user_id",
		"audit_entries": "owner_id",
	} {
		query := "SELECT * FROM " + table + " WHERE " + owner + " = $1"
		rows, err := db.QueryContext(t.Context(), query, user)
		if err != nil {
			t.Fatal(err)
		}
		found := scanAll(t, rows)
		if len(found) == 0 {
			t.Fatalf("%s has nothing of the user", table)
		}
		for _, row := range found {
			all = append(all, table+" "+row)
		}
	}
	slices.Sort(all)
	return all
}

func scanAll(t *testing.T, rows *sql.Rows) (all []string) {
	t.Helper()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			t.Fatal(err)
		}
		var line strings.Builder
		for i, name := range columns {
			if name != "last_used_at" {
				fmt.Fprintf(&line, "%s=%v ", name, *values[i].(*any))
			}
		}
		all = append(all, line.String())
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAnothersIdIsAnsweredLikeOneThatNeverWasAndNothingHappensToIt(t *testing.T) {
	t.Parallel()
	s := start(t)
	a, b := s.person(t), s.person(t)
	owned := s.belongings(t, a)
	before := s.rows(t, a.id)
	tried := 0
	for _, op := range operations(t) {
		if len(op.Parameters) == 0 {
			continue
		}
		tried++
		want := 404
		if op.Scope == "admin" {
			want = 403 // b is no admin: whether there is such a user is not looked at
		}
		of := func(id string) target { return target{person: b, ids: []string{id}} }
		never := s.ask(t, op, of(uuid.NewString()), b.key).want(t, want)
		for what, id := range owned {
			for _, spelling := range []string{id, strings.ToUpper(id)} {
				got := s.ask(t, op, of(spelling), b.key)
				sameBut(t, op.ID+" of "+what, never, got)
				if strings.Contains(strings.ToLower(string(got.body)), id) {
					t.Errorf("%s of %s: the answer repeats the id", op.ID, what)
				}
			}
		}
	}
	if tried < 5 {
		t.Errorf("only %d operations take an id", tried)
	}
	if diff := cmp.Diff(before, s.rows(t, a.id)); diff != "" {
		t.Errorf("something of a's changed:\n%s", diff)
	}
}

// An admin manages users and nothing of what is theirs.
func TestAnAdminReachesNothingOfAnothersLibrary(t *testing.T) {
	t.Parallel()
	s := start(t)
	a, admin := s.person(t), s.person(t, allScopes...)
	owned := s.belongings(t, a)
	before := s.rows(t, a.id)
	for _, op := range operations(t) {
		if len(op.Parameters) == 0 {
			continue
		}
		of := func(id string) target { return target{person: admin, ids: []string{id}} }
		never := s.ask(t, op, of(uuid.NewString()), admin.key).want(t, 404)
		for what, id := range owned {
			if op.Scope == "admin" && what == "the user" {
				continue // that one is the admin's to manage
			}
			sameBut(t, op.ID+" of "+what, never, s.ask(t, op, of(id), admin.key))
		}
	}
	if diff := cmp.Diff(before, s.rows(t, a.id)); diff != "" {
		t.Errorf("something of a's changed:\n%s", diff)
	}
}

func TestAListHasNothingOfAnothers(t *testing.T) {
	t.Parallel()
	s := start(t)
	a, b := s.person(t), s.person(t)
	owned := s.belongings(t, a)
	s.do(t, post(presetPath, a.key, openAI)).want(t, 201)
	for _, op := range operations(t) {
		if op.Method != http.MethodGet || len(op.Parameters) > 0 || op.Scope == "admin" ||
			op.Public {
			continue
		}
		got := s.do(t, get(op.Path, b.key)).want(t, 200)
		for what, id := range owned {
			if strings.Contains(string(got.body), id) {
				t.Errorf("%s shows %s of another user", op.ID, what)
			}
		}
		if strings.Contains(string(got.body), "CUSTOM") ||
			strings.Contains(string(got.body), `"configured":true`) {
			t.Errorf("%s shows what another user has", op.ID)
		}
	}
}

func TestADeletedUserLeavesNothingThatAnAnswerShows(t *testing.T) {
	t.Parallel()
	s := start(t)
	a, admin := s.person(t), s.person(t, allScopes...)
	owned := s.belongings(t, a)
	s.do(t, del(usersPath+"/"+a.id, admin.key)).want(t, 204)
	for _, path := range []string{
		secretsPath + "/" + owned["a secret"], keysPath + "/" + owned["an API key"],
		usersPath + "/" + a.id,
	} {
		s.do(t, del(path, admin.key)).refused(t, 404)
	}
	list := s.do(t, get(usersPath, admin.key)).want(t, 200)
	if bytes.Contains(list.body, []byte(a.id)) {
		t.Error("the list of users has one that was deleted")
	}
	for _, table := range []string{"secrets", "api_keys", "owner_keys"} {
		var n int
		query := "SELECT COUNT(*) FROM " + table + " WHERE user_id = $1"
		err := s.database(t).QueryRowContext(t.Context(), query, a.id).Scan(&n)
		if err != nil || n > 0 {
			t.Errorf("%s has %d rows of a user who was deleted: %v", table, n, err)
		}
	}
}
