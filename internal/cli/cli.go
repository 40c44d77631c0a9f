// Package cli has the commands of the keysake program: the server's, the operator's, which work on
// a data folder, and those that talk to a server through package client.
//
// [Main] is the whole program, given everything that it may touch: arguments, environment, streams.
// Three promises hold in every command. A value is never an argument and is never shown. An
// argument that was not understood is not repeated, because it may be a value that was put in the
// wrong place. What the server says is made harmless before a terminal gets it.
package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/client"
)

// version is what a release is built with: -ldflags "-X
// github.com/keysake/keysake/internal/cli.version=1.2.3". Any other build goes by the version that
// the Go tool recorded of the module.
var version string

func programVersion() string {
	if version != "" {
		return version
	}
	return client.Version()
}

// An app is what every command may touch.
type app struct {
	env            func(string) (string, bool)
	now            func() time.Time
	stdin          io.Reader
	stdout, stderr io.Writer // what was asked for, and everything else
}

// Main runs the program with these arguments, without its own name, and returns its exit code. An
// interrupt or a SIGTERM ends ctx, and so stops a server in good order; a second one ends the
// program at once.
func Main(
	ctx context.Context,
	args []string,
	env func(string) (string, bool),
	stdin io.Reader,
	stdout, stderr io.Writer,
) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	a := &app{env: env, now: time.Now, stdin: stdin, stdout: stdout, stderr: stderr}
	root := newRoot(a)
	var started bool
	noteStart(root, &started)
	root.SetArgs(append([]string{}, args...)) // never nil, for which cobra would take the process's
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !started {
		err = usageOf(cmd, err)
	}
	a.report(err)
	return exitCode(err)
}

const rootLong = `Keysake keeps the credentials that you hand to programs: an OpenAI key, a GitHub token, and so on.
A value goes in once, is sealed at rest, and is shown as sk-pro••••789 from then on.

"keysake serve" is the server. The operator's commands (init, root-key, owner-key, backup, restore, doctor)
work on its data folder. All others talk to a server: to that of "keysake login", unless KEYSAKE_URL
and KEYSAKE_API_KEY name another. Logins are kept in the user's configuration folder,
or in the one that KEYSAKE_CONFIG_DIR names.`

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "keysake",
		Short: "A home for the keys that you hand to programs",
		Long:  rootLong + "\n\n" + exitHelp,
		Example: `  keysake serve --dev
  keysake login --from-file .keysake-dev/dev-api-key
  keysake secrets set --preset openai
  keysake secrets list`,
		Version:       programVersion(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	group(root)
	root.SetVersionTemplate(versionLine() + "\n")
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(
		newServe(a), newInit(a), newLogin(a),
		newPresets(a), newSecrets(a), newAPIKeys(a), newUsers(a),
		newRootKey(a), newOwnerKey(a),
		newBackup(a), newRestore(a), newDoctor(a),
		newVersion(a), newDocs(a),
	)
	return root
}

// group makes cmd a command that only has others below it: alone it prints its help, and it refuses
// words that are none of them.
func group(cmd *cobra.Command) {
	cmd.DisableFlagsInUseLine = true
	cmd.SuggestionsMinimumDistance = 2
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return unknownCommand(cmd, args[0])
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}

func unknownCommand(cmd *cobra.Command, word string) error {
	if near := cmd.SuggestionsFor(word); len(near) > 0 {
		return fmt.Errorf("no such command: did you mean %q?", cmd.CommandPath()+" "+near[0])
	}
	return fmt.Errorf("%q has no such command", cmd.CommandPath())
}

// noteStart sets started once a command below cmd begins to work: every error before is one of
// usage.
func noteStart(cmd *cobra.Command, started *bool) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			*started = true
			return run(cmd, args)
		}
	}
	for _, below := range cmd.Commands() {
		noteStart(below, started)
	}
}
