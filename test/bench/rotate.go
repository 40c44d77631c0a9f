package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/keysake/keysake/test/figures"
	"github.com/keysake/keysake/test/load"
)

// commandRotate is the name of how long a rotation takes.
const commandRotate = "owner-key rotate --all"

// measureRotation drives creates while another process rotates the owner keys of all users of the
// same data. A request that fails, or a rotation, fails the measurement.
func (b *bench) measureRotation(
	ctx context.Context, server *load.Process, creates job,
) (sample figures.Sample, err error) {
	cmd := exec.CommandContext(
		ctx, b.binary, "owner-key", "rotate", "--all", "--data", server.Data,
		"--keys", filepath.Join(server.Data, "keysake.keys"),
		"--floors", filepath.Join(filepath.Dir(server.Data), "data.floors"),
	)
	cmd.Env = []string{} // no setting but these
	done := make(chan error, 1)
	time.AfterFunc(b.warmUp, func() {
		began := time.Now()
		out, err := cmd.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("owner-key rotate: %w\n%s", err, out)
		}
		b.found.Commands = note(b.found.Commands, commandRotate, figures.Millis(time.Since(began)))
		done <- err
	})
	creates.name = rotating
	sample, err = b.drive(ctx, server, clients16, creates)
	if rotated := <-done; err == nil {
		err = rotated
	}
	return sample, err
}
