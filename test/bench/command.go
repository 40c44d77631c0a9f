package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/keysake/keysake/test/load"
)

// starts is how often a command is started.
const starts = 20

// A startup is how long a command takes from its start to its end.
type startup struct{ alone, run time.Duration }

// measureCommand starts true alone and with a secret in its environment, in turn.
func measureCommand(
	ctx context.Context, binary string, server *load.Process,
) (s startup, err error) {
	home := filepath.Dir(server.Data)
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Env = []string{
			"PATH=/usr/bin:/bin", "HOME=" + home,
			"KEYSAKE_CONFIG_DIR=" + filepath.Join(home, "login"),
		}
		return cmd
	}
	login := command(binary, "login", "--url", "http://"+server.Address,
		"--from-file", filepath.Join(server.Data, "dev-api-key"))
	set := command(binary, "secrets", "set", "MEASURED")
	set.Stdin = strings.NewReader("no-real-value-of-anybody")
	for _, cmd := range []*exec.Cmd{login, set} {
		if out, err := cmd.CombinedOutput(); err != nil {
			return startup{}, fmt.Errorf("%s: %w\n%s", cmd.Args[1], err, out)
		}
	}
	var alone, run []time.Duration
	for range starts {
		for _, one := range []struct {
			cmd  *exec.Cmd
			took *[]time.Duration
		}{
			{command("true"), &alone},
			{command(binary, "run", "-s", "MEASURED", "--", "true"), &run},
		} {
			began := time.Now()
			if err := one.cmd.Run(); err != nil {
				return startup{}, fmt.Errorf("%v: %w", one.cmd.Args, err)
			}
			*one.took = append(*one.took, time.Since(began))
		}
	}
	slices.Sort(alone)
	slices.Sort(run)
	return startup{alone[starts/2], run[starts/2]}, nil
}
