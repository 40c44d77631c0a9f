package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// withSignals returns a context that an interrupt or SIGTERM cancels. A second one ends the
// program, also if it comes before the first was acted upon.
func withSignals(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
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
	return ctx, cancel
}
