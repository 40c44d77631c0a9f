// Package cli implements the commands of the keysake program: the server, the operator's commands,
// which work on a data folder, and the commands that talk to a server through package client.
//
// [Main] is the whole program. It gets everything it may touch: arguments, environment, streams.
// Every command keeps three promises. A value is never an argument and is never shown. An argument
// that was not understood is not repeated, because it may be a misplaced value. Text from a server
// is escaped before a terminal gets it.
package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/plaintext"
)

// version is set by a release build: -ldflags "-X
// github.com/keysake/keysake/internal/cli.version=1.2.3". Other builds use the module's version
// that the Go tool recorded.
var version string

func programVersion() string {
	if version != "" {
		return version
	}
	return client.Version()
}

// An app is everything that a command may touch.
type app struct {
	env            func(string) (string, bool)
	now            func() time.Time
	stdin          io.Reader
	stdout, stderr io.Writer // data, and everything else
	releaseSignals func()    // gives them back, before a command gets them

	fromKeyring func(name string) (plaintext.Value, error) // what it keeps under a name

	profile, caCert string // of the flags
	noSealing       *pflag.Flag
	keys            *keyboard // of the first prompt
}

// Main runs the program with these arguments, without its own name, and returns the exit code. An
// interrupt or SIGTERM cancels ctx, and so stops a server gracefully; a second one kills the
// program.
func Main(
	ctx context.Context,
	args []string,
	env func(string) (string, bool),
	stdin io.Reader,
	stdout, stderr io.Writer,
) int {
	ctx, stop, release := withSignals(ctx)
	defer stop()

	a := &app{
		env: env, now: time.Now, stdin: stdin, stdout: stdout, stderr: stderr,
		releaseSignals: release,
	}
	a.fromKeyring = func(name string) (plaintext.Value, error) { return a.keyring().Get(ctx, name) }
	root := newRoot(a)
	var started bool
	markStart(root, &started)
	root.SetArgs(append([]string{}, args...)) // not nil: cobra would use the process's arguments
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !started {
		err = usageOf(cmd, err)
	}
	err = endedBy(ctx, err)
	a.report(err)
	return exitCode(err)
}

const rootLong = `Keysake keeps the credentials that you hand to programs, such as an OpenAI key or
a GitHub token. You enter a value once. It is sealed at rest, and from then on
only a mask is shown, such as sk-pro••••789.

Run the server with "keysake serve". The operator's commands (init, admin-key,
root-key, owner-key, lockdown, backup, restore, doctor, audit, floors) work on its
data folder. All other commands talk to a server: the one of your last "keysake
login", unless KEYSAKE_URL and KEYSAKE_API_KEY name another. The login is stored
in your system's keyring or, where none answers, in your configuration folder, or
in the folder that KEYSAKE_CONFIG_DIR names. "keysake login --profile NAME" stores
a further one, which --profile or KEYSAKE_PROFILE chooses. KEYSAKE_API_KEY_FILE
names a file with the API key, and KEYSAKE_CA_CERT one with the server's
certificate authority.

What a command sends is sealed to the server, inside TLS, so that no proxy and no
log on the way sees a value. --no-sealing or KEYSAKE_NO_SEALING=true turns that
off, for a server that is too old for it, or to look at your own requests; each
command says so then.`

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "keysake",
		Short: "A home for the keys that you hand to programs",
		Long:  rootLong + "\n\n" + exitHelp,
		Example: `  keysake serve --dev
  keysake login --from-file .keysake-dev/dev-api-key
  keysake secrets set --preset openai
  keysake secrets list`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	group(root)
	root.SetUsageFunc(usage)
	showVersion := root.Flags().BoolP("version", "v", false, "version for keysake")
	help := root.RunE
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if *showVersion {
			return a.print(versionLine() + "\n")
		}
		return help(cmd, args)
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(flagError)
	root.PersistentFlags().StringVar(&a.profile, "profile", "",
		"use the login of this `NAME`, instead of the usual one")
	root.PersistentFlags().StringVar(&a.caCert, "ca-cert", "",
		"trust the certificates in this `FILE` for the server, and no others")
	root.PersistentFlags().Bool("no-sealing", false,
		"send values to the server as they are, inside TLS only")
	a.noSealing = root.PersistentFlags().Lookup("no-sealing")
	root.AddCommand(
		newServe(a), newBroker(a), newInit(a), newAdminKey(a),
		newLogin(a), newLoginLink(a), newLogout(a), newWhoAmI(a), newStatus(a),
		newRun(a), newLease(a),
		newPresets(a), newSecrets(a), newAPIKeys(a), newTrust(a), newGrants(a),
		newConfirm(a), newUsers(a),
		newRootKey(a), newInstanceKey(a), newOwnerKey(a), newLockdown(a),
		newBackup(a), newRestore(a), newDoctor(a), newAudit(a), newFloors(a),
		newMigrate(a),
		newVersion(a), newDocs(a),
	)
	root.InitDefaultCompletionCmd()
	fold(root)
	a.complete(root)
	return root
}

// group makes cmd a command that only groups others: alone it prints its help, and it refuses
// words that are not among its commands.
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
		return usagef("unknown command: did you mean %q?", cmd.CommandPath()+" "+near[0])
	}
	return fmt.Errorf("unknown command for %q", cmd.CommandPath())
}

// markStart sets started when a command in the tree of cmd begins its work: any earlier error is
// one of usage.
func markStart(cmd *cobra.Command, started *bool) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			*started = true
			return run(cmd, args)
		}
	}
	for _, sub := range cmd.Commands() {
		markStart(sub, started)
	}
}
