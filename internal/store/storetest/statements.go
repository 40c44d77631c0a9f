package storetest

import (
	"context"
	"reflect"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/store"
)

// A Statement is SQL that a method of [store.Queries] runs.
type Statement struct {
	Method  string
	SQL     string
	Erasure store.Erasure // zero if it was not run by Erase
}

// Statements calls every method of the queries that runs any with zero arguments, on a connection
// on which each statement changes one row and finds none, and returns what they run.
func Statements() []Statement {
	r := &recorder{}
	queries := reflect.ValueOf(store.New(r, store.Dialect{ForUpdate: "FOR UPDATE"}))
	for i := range queries.NumMethod() {
		method := queries.Method(i)
		if method.Type().NumIn() == 0 {
			continue // without a context it runs nothing
		}
		r.method = queries.Type().Method(i).Name
		args := []reflect.Value{reflect.ValueOf(context.Background())}
		for n := 1; n < method.Type().NumIn(); n++ {
			args = append(args, reflect.Zero(method.Type().In(n)))
		}
		method.Call(args)
	}
	return r.statements
}

// A recorder is a connection that only notes what it is asked.
type recorder struct {
	method     string
	statements []Statement
}

func (r *recorder) Query(_ context.Context, sql string, _ func(store.Row) error, _ ...any) error {
	r.statements = append(r.statements, Statement{Method: r.method, SQL: sql})
	return nil
}

func (r *recorder) Exec(_ context.Context, _ int64, sql string, _ ...any) error {
	r.statements = append(r.statements, Statement{Method: r.method, SQL: sql})
	return nil
}

func (r *recorder) Erase(
	_ context.Context, when store.Erasure, _ int64, sql string, _ ...any,
) error {
	r.statements = append(r.statements, Statement{r.method, sql, when})
	return nil
}

func (r *recorder) Changed(uuid.UUID) {}

func (r *recorder) Tell(context.Context, uuid.UUID) error { return nil }

func (r *recorder) Moment() uint64 { return 0 }
