package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// withSignals returns a context that an interrupt or SIGTERM cancels. A second one ends the
// program, also if it comes before the first was acted upon. After release, signals do what they do
// in any program.
func withSignals(
	ctx context.Context,
) (_ context.Context, cancel context.CancelFunc, release func()) {
	ctx, cancelFor := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 2)
	released := make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-released:
			return
		case s := <-signals:
			cancelFor(&signalError{s.(syscall.Signal), context.Canceled})
		case <-ctx.Done():
		}
		signal.Stop(signals) // from now on the system ends the program
		select {
		case s := <-signals:
			os.Exit(exitSignal + int(s.(syscall.Signal)))
		default:
		}
	}()
	release = sync.OnceFunc(func() { signal.Stop(signals); close(released) })
	return ctx, func() { cancelFor(nil) }, release
}

// A signalError is what a command returns that a signal ended.
type signalError struct {
	signal syscall.Signal
	error
}

func (e *signalError) Unwrap() error { return e.error }

// endedBy adds the signal that cancelled ctx to the error that followed.
func endedBy(ctx context.Context, err error) error {
	by, ok := errors.AsType[*signalError](context.Cause(ctx))
	if !ok || !errors.Is(err, context.Canceled) {
		return err
	}
	return &signalError{by.signal, err}
}
