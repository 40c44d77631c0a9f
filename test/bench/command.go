package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/keysake/keysake/test/figures"
	"github.com/keysake/keysake/test/load"
)

// starts is how often a command is started.
const starts = 20

// The names of what is started.
const (
	commandAlone = "true"
	commandRun   = "keysake run -- true"
)

// measureCommand starts true alone and with a secret in its environment, in turn.
func (b *bench) measureCommand(ctx context.Context, server *load.Process) error {
	home := filepath.Dir(server.Data)
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Env = []string{
			"PATH=/usr/bin:/bin", "HOME=" + home,
			"KEYSAKE_CONFIG_DIR=" + filepath.Join(home, "login"),
		}
		return cmd
	}
	login := command(b.binary, "login", "--url", "http://"+server.Address,
		"--from-file", filepath.Join(server.Data, "dev-api-key"))
	set := command(b.binary, "secrets", "set", "MEASURED")
	set.Stdin = strings.NewReader("no-real-value-of-anybody")
	for _, cmd := range []*exec.Cmd{login, set} {
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", cmd.Args[1], err, out)
		}
	}
	for range starts {
		for name, cmd := range map[string]*exec.Cmd{
			commandAlone: command("true"),
			commandRun:   command(b.binary, "run", "-s", "MEASURED", "--", "true"),
		} {
			began := time.Now()
			if err := cmd.Run(); err != nil {
				return fmt.Errorf("%v: %w", cmd.Args, err)
			}
			took := figures.Millis(time.Since(began))
			b.found.Commands = note(b.found.Commands, name, took)
		}
	}
	return nil
}
