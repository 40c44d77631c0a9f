package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/internal/child"
	"github.com/keysake/keysake/internal/project"
)

// A running holds the arguments of "run".
type running struct {
	choice               *choice
	ttl                  time.Duration
	label, ticketFile    string
	maps, files          []string
	prefix, template     string
	noAliases, keep      bool
	clean, print         bool
	mask, noMask, asJSON bool
	broker, proxy        bool
	egress               string
	limits, params       []string
	proxyHosts           []string
	trust, identityFile  string
	actFor               string
}

const runLong = `Run a command with secrets in its environment. Each secret is a variable of its
name; the command becomes this process, with its signals, terminal and exit code.

Secrets are chosen by --secret, --preset and --all or, without these, by the file
keysake.toml here or in a folder above: secrets = ["NAME"], presets = ["openai"],
and [map] with NAME = "OTHER". The file is refused if someone else could have
written it. With --ticket-file or the variable KEYSAKE_TICKET, a ticket says which
secrets there are, and no API key is needed: only KEYSAKE_URL.

A secret replaces a variable that is already set, and a line says so; with
--keep-existing, what is set stays. Programs that read another name, too, as gh
reads GH_TOKEN, get that as well. The command does not get KEYSAKE_API_KEY,
KEYSAKE_TICKET and KEYSAKE_IDENTITY_TOKEN, and writes no core files.

Output that goes to a pipe or a file passes through keysake, which replaces each
value of 8 characters or more by its mask, also in base64, URL-encoded and in
JSON. Output on a terminal is not touched, unless you say --mask.

With --broker the command gets no value at all. Each variable has a placeholder, and
others, such as OPENAI_BASE_URL, lead programs to the server's broker, which puts the
value on their requests: only on those to the hosts of the secret's preset. git and gh
are led there, too. The lease ends with the command, and docs/broker.md says what this
protects from.

Programs whose provider has no such variable reach the broker as their proxy: they get
HTTPS_PROXY and, by SSL_CERT_FILE and the like, an authority that signs for the hosts
of this lease alone, beside those that they trust. With --proxy all programs do. They
reach no other hosts by it, unless you say --egress open. An authority for any other
host than those of the providers that you name starts no command: by --preset, or by a
secret that is named as their programs do. If your operator has presets of their own,
or a secret has a name of yours, name the hosts with --proxy-host.

Each --limit is one of the lease, over all its secrets: requests, requests_per_minute,
concurrent_requests, bytes (in both directions), tokens (as the provider reports them),
methods and path_prefixes (separated by commas). Numbers that have no other unit are
in all. Where a part of the provider's host is yours, as the resource of Azure OpenAI, say it
with --param resource=NAME.

Your API key needs the scopes secrets:read and leases:write. A job needs none: with
--trust, or the variable KEYSAKE_TRUST, its identity token is exchanged by that rule
("keysake trust add"). The token is the one in --identity-token-file, in
KEYSAKE_IDENTITY_TOKEN_FILE or in KEYSAKE_IDENTITY_TOKEN. Without them GitHub Actions
is asked for one, or it is in ` + projectedFile + `. With --for, the secrets are those
of another user, who has granted that ("keysake grants"); the key needs act:user, too.`

func newRun(a *app) *cobra.Command {
	in := new(running)
	cmd := &cobra.Command{
		Use:   "run [flags] -- COMMAND [ARGUMENT…]",
		Short: "Run a command with secrets in its environment",
		Long:  runLong,
		Example: `  keysake run --preset openai -- python agent.py
  keysake run -s DATABASE_PASSWORD --map DATABASE_PASSWORD=PGPASSWORD -- psql
  keysake run -s 'AWS_*' --print
  keysake run --file DEPLOY_KEY=/dev/shm/deploy -- ssh -i /dev/shm/deploy host
  keysake run --ticket-file ticket -- ./job
  keysake run --trust 0198c8a6-6f43-7d0e-9d2c-5b1f0a3c7e11 \
    --preset openai -- ./job
  keysake run --broker --preset openai -- python agent.py
  keysake run --broker --preset openai --limit requests=100 \
    --limit path_prefixes=/v1/chat/,/v1/models -- python agent.py
  keysake run --broker --preset stripe --egress open -- node pay.mjs`,
		DisableFlagsInUseLine: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 && !in.print {
				return errors.New("the command is missing: put it after --")
			}
			more := len(in.limits)+len(in.params)+len(in.proxyHosts) > 0
			if (more || in.proxy || in.egress != "") && !in.broker {
				return errors.New("--proxy, --proxy-host, --egress, --limit and --param are for " +
					"--broker: add that")
			}
			return nil
		},
	}
	in.choice = choiceFlags(cmd)
	in.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if in.print {
			return a.printRun(cmd.Context(), in)
		}
		return a.run(cmd.Context(), in, args)
	}
	return cmd
}

func (in *running) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.SetInterspersed(false) // flags after the command are the command's
	f.DurationVar(&in.ttl, "ttl", 0, "how long the lease is listed as live (default 1h0m0s)")
	f.BoolVar(&in.broker, "broker", false,
		"give the command placeholders, which only the server's broker replaces")
	f.BoolVar(&in.proxy, "proxy", false,
		"lead programs to the broker as their proxy, whatever variables they have")
	f.StringArrayVar(&in.proxyHosts, "proxy-host", nil,
		"a `HOST` of your operator's own preset, for which that proxy may stand (repeatable)")
	f.StringVar(&in.egress, "egress", "",
		"what that proxy does with hosts of no secret: `deny`, or open (default deny)")
	f.StringArrayVar(&in.limits, "limit", nil,
		"a limit of the lease for the broker, `NAME=VALUE` (repeatable)")
	f.StringArrayVar(&in.params, "param", nil,
		"a part of the provider's host that you know, `NAME=VALUE`, such as the resource of "+
			"azure_openai (repeatable)")
	f.StringVar(&in.label, "label", "", "say in the audit log what this run is (default COMMAND)")
	f.StringVar(&in.ticketFile, "ticket-file", "", "redeem the ticket in this `FILE`")
	forFlag(cmd, &in.actFor)
	f.StringVar(&in.trust, "trust", "", "exchange an identity token by the rule with this `ID`")
	f.StringVar(&in.identityFile, "identity-token-file", "",
		"exchange the identity token in this `FILE`, with --trust")
	f.StringArrayVar(&in.maps, "map", nil,
		"give the secret NAME as another variable: `NAME=OTHER` (repeatable)")
	f.StringVar(&in.prefix, "prefix", "", "put `PREFIX` before the names of variables")
	f.BoolVar(&in.noAliases, "no-aliases", false, "set no variable beside that of the secret")
	f.BoolVar(&in.keep, "keep-existing", false, "leave variables that are set as they are")
	f.BoolVar(&in.clean, "clean-env", false,
		"give the command nothing else but PATH, HOME, TERM and the locale")
	f.StringArrayVar(&in.files, "file", nil,
		"put the secret into a file in memory, `NAME=PATH` or without a PATH one without a "+
			"name, and the variable gets its path (repeatable)")
	f.StringVar(&in.template, "env-file", "",
		"set the variables in this `FILE`, with keysake://NAME replaced by values")
	f.BoolVar(&in.mask, "mask", false, "mask values in output on a terminal, too")
	f.BoolVar(&in.noMask, "no-mask", false, "mask nothing")
	f.BoolVar(&in.print, "print", false, "show which variables would be set, and run nothing")
	f.BoolVar(&in.asJSON, "json", false, "print JSON, with --print")
	cmd.MarkFlagsMutuallyExclusive("mask", "no-mask")
	cmd.MarkFlagsMutuallyExclusive("print", "ticket-file")
	cmd.MarkFlagsMutuallyExclusive("broker", "ticket-file")
	cmd.MarkFlagsMutuallyExclusive("trust", "ticket-file", "for")
}

// run runs a command. Everything that can be wrong without the server is found before a lease is
// taken. It returns only if the command was not started.
func (a *app) run(ctx context.Context, in *running, args []string) error {
	file, err := child.Find(args[0], a.getenv("PATH"))
	if err != nil {
		return err
	}
	p, err := a.plan(in)
	if err != nil {
		return err
	}
	given, err := a.lease(ctx, in, p, args[0])
	if err != nil {
		return err
	}
	env, files, err := a.environment(in, p, given)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return errors.Join(err, removeAll(files), given.broker.close())
	}
	err = a.start(in, child.Command{File: file, Args: args, Env: env}, given, files)
	return errors.Join(err, given.broker.close())
}

// choose completes the choice from keysake.toml, if the flags name no secret.
func (a *app) choose(in *running, p *plan) error {
	if !in.choice.empty() || len(p.files) > 0 || in.template != "" {
		return nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("look for keysake.toml: %w", err)
	}
	file, err := project.Find(dir)
	if errors.Is(err, project.ErrNone) {
		return usagef("which secrets? Name them with --secret, --preset or --all, or write a " +
			`keysake.toml; see "keysake run --help"`)
	}
	if err != nil {
		return err
	}
	in.choice.refs, in.choice.presets, in.choice.from = file.Secrets, file.Presets, file.Path
	for from, to := range file.Map {
		if _, set := p.names.Map[from]; !set {
			p.names.Map[from] = to
		}
	}
	if in.choice.empty() {
		return fmt.Errorf("%s names no secret", file.Path)
	}
	return nil
}

// readSmall reads a file of at most limit bytes.
func readSmall(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s is longer than %d bytes", path, limit)
	}
	return b, err
}
