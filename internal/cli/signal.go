package cli

import (
	"context"
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
	ctx, cancel = context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	released := make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-released:
			return
		case <-signals:
			cancel()
		case <-ctx.Done():
		}
		signal.Stop(signals) // from now on the system ends the program
		select {
		case <-signals:
			os.Exit(exitError)
		default:
		}
	}()
	return ctx, cancel, sync.OnceFunc(func() { signal.Stop(signals); close(released) })
}
