package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/keysake/keysake/test/load"
)

// rotating is the name of what is measured here.
const rotating = "create, rotating"

// rotatingClients is how many clients create while the root key is rotated.
const rotatingClients = 16

// measureRotation drives creates while another process rotates the root key of the same data. A
// request that fails, or a rotation, fails the measurement.
func measureRotation(
	ctx context.Context, s settings, binary string, server *load.Process, create job, round int,
) (sample, error) {
	to := filepath.Join(filepath.Dir(server.Data), fmt.Sprintf("rotated-%d.key", round))
	cmd := exec.CommandContext(
		ctx, binary, "root-key", "rotate", "--data", server.Data,
		"--keys", filepath.Join(server.Data, "keysake.keys"), "--to", "file:"+to,
	)
	cmd.Env = []string{} // no setting but these
	done := make(chan error, 1)
	// when the part of the measurement that does not count is over
	time.AfterFunc(s.time/5, func() {
		out, err := cmd.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("root-key rotate: %w\n%s", err, out)
		}
		done <- err
	})
	one, err := drive(ctx, server, rotatingClients, s.time, create)
	if rotated := <-done; err == nil {
		err = rotated
	}
	return one, err
}
