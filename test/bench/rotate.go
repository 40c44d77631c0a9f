package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/keysake/keysake/test/figures"
	"github.com/keysake/keysake/test/load"
)

// commandRotate is the name of how long a rotation takes.
const commandRotate = "owner-key rotate --user"

// measureRotation drives creates while other processes rotate the owner keys of the readers of the
// same data, one after the other. A request that fails, or a rotation, fails the measurement.
func (b *bench) measureRotation(
	ctx context.Context, server *load.Process, creates job,
) (sample figures.Sample, err error) {
	ended, done := make(chan struct{}), make(chan error, 1)
	time.AfterFunc(b.warmUp, func() { done <- b.rotate(ctx, server, ended) })
	creates.name = rotating
	sample, err = b.drive(ctx, server, clients16, creates)
	close(ended)
	if rotated := <-done; err == nil {
		err = rotated
	}
	return sample, err
}

// rotate rotates the owner keys of readers until it is to end.
func (b *bench) rotate(ctx context.Context, server *load.Process, end <-chan struct{}) error {
	for i := 0; ; i++ {
		select {
		case <-end:
			return nil
		default:
		}
		cmd := exec.CommandContext(
			ctx, b.binary, "owner-key", "rotate", "--data", server.Data,
			"--keys", filepath.Join(server.Data, "keysake.keys"),
			"--floors", filepath.Join(filepath.Dir(server.Data), "data.floors"),
			"--user", readerPrefix+strconv.Itoa(i%b.users),
		)
		cmd.Env = []string{} // no setting but these
		began := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("owner-key rotate: %w\n%s", err, out)
		}
		b.found.Commands = note(b.found.Commands, commandRotate, figures.Millis(time.Since(began)))
	}
}
