// Command keysake is the server and the command line of Keysake.
package main

import (
	"context"
	"os"

	"github.com/keysake/keysake/internal/cli"
)

func main() {
	env := os.LookupEnv //nolint:forbidigo // the program hands its environment over here
	os.Exit(cli.Main(context.Background(), os.Args[1:], env, os.Stdin, os.Stdout, os.Stderr))
}
