// Command keysake-kms asks the key services of AWS, Google Cloud and Azure for a Keysake server,
// which starts it and speaks with it over its standard input and output.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/keysake/keysake/internal/kms"
	"github.com/keysake/keysake/internal/kmspipe"
	"github.com/keysake/keysake/internal/process"
)

func main() {
	if err := process.Harden(); err != nil {
		_, _ = os.Stderr.WriteString("keysake-kms: warning: " + err.Error() + "\n")
	}
	// An interrupt at a terminal reaches it as well as the server, which may still need it. It ends
	// when its input does.
	signal.Ignore(os.Interrupt, syscall.SIGTERM)
	//nolint:forbidigo // the program hands its environment over here
	services := &kms.Services{AzureDomain: os.Getenv("AZURE_KEYVAULT_DOMAIN")}
	if err := kmspipe.Serve(context.Background(), os.Stdin, os.Stdout, services); err != nil {
		_, _ = os.Stderr.WriteString("keysake-kms: " + err.Error() + "\n")
		os.Exit(1)
	}
}
