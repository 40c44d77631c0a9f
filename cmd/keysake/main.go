// Command keysake is the server and the command line of Keysake.
package main

import (
	"context"
	"os"

	"github.com/keysake/keysake/internal/cli"
)

func main() {
	os.Exit(
		cli.Main(context.Background(), os.Args[1:], os.LookupEnv, os.Stdin, os.Stdout, os.Stderr),
	) //nolint:forbidigo // here the environment is handed over
}
