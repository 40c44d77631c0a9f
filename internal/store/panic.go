package store

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
)

// errPanic is the error of an update that panicked.
var errPanic = errors.New("store: an update panicked")

// RecoverPanic turns a panic of fn into its error. What was passed to panic may hold a value, so it
// is left out unless it is the runtime's.
func RecoverPanic(fn func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			what := fmt.Sprintf("%T", cause)
			if r, ok := cause.(runtime.Error); ok {
				what = r.Error()
			}
			err = fmt.Errorf("%w: %s\n%s", errPanic, what, debug.Stack())
		}
	}()
	return fn()
}
