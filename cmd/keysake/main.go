// Command keysake is the server and the command line of Keysake.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/keysake/keysake/internal/cli"
	"github.com/keysake/keysake/internal/process"
)

func main() {
	if err := process.Harden(); err != nil {
		fmt.Fprintf(os.Stderr, "keysake: warning: %v\n", err)
	}
	env := os.LookupEnv //nolint:forbidigo // the program hands its environment over here
	process.SizeMemory(env)
	os.Exit(cli.Main(context.Background(), os.Args[1:], env, os.Stdin, os.Stdout, os.Stderr))
}
