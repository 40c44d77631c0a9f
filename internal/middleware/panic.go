package middleware

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
)

// ErrPanic says that the handler panicked before it answered. The log has more.
var ErrPanic = errors.New("panic")

// recoverPanic logs a panic, and fails the request if it has no answer yet. The cause could hold a
// value: only the text of one that the runtime made is logged. [http.ErrAbortHandler] is passed on:
// it hangs up.
func (o Options) recoverPanic(w *recorder, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(cause)
	}
	what := fmt.Sprintf("%T", cause)
	if err, ok := cause.(runtime.Error); ok {
		what = err.Error()
	}
	o.Log.ErrorContext(r.Context(), "panic",
		"request_id", From(r.Context()).ID, "what", what, "stack", string(debug.Stack()))
	if w.status == 0 {
		o.Fail(w, r, ErrPanic)
	}
}
