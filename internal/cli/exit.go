package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/child"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/server"
)

// The exit codes are part of the program's interface. exitHelp documents them, and only exitCode
// chooses one.
const (
	exitOK             = 0
	exitError          = 1
	exitUsage          = 2
	exitCannotStart    = 3
	exitAuthentication = 4
	exitSignal         = 128 // and the signal's number, as shells say
)

const exitHelp = `Exit codes:
  0  success
  1  any other error
  2  wrong usage
  3  the server cannot start, or the data folder or one of its root keys cannot be opened
  4  authentication: not logged in, or the server rejected the API key (401, 403)
  130  interrupted, as by Ctrl-C at a prompt; 143 after SIGTERM
"keysake run" ends as its command does; 126 and 127 mean that it could not be run
or was not found.`

func exitCode(err error) int {
	if failed, ok := errors.AsType[*child.StartError](err); ok {
		return failed.Code
	}
	if by, ok := errors.AsType[*signalError](err); ok {
		return exitSignal + int(by.signal)
	}
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, context.Canceled): // Ctrl-C on a raw terminal is no signal
		return exitSignal + int(syscall.SIGINT)
	case isUsage(err):
		return exitUsage
	case errors.Is(err, server.ErrCannotStart), errors.Is(err, instance.ErrCannotOpen):
		return exitCannotStart
	case errors.Is(err, errNoLogin), errors.Is(err, errTicketEnded),
		errors.Is(err, errIdentity),
		hasStatus(err, http.StatusUnauthorized), hasStatus(err, http.StatusForbidden):
		return exitAuthentication
	}
	return exitError
}

// hasStatus reports whether err is the server's refusal with this HTTP status.
func hasStatus(err error, status int) bool {
	refused, ok := errors.AsType[*client.Error](err)
	return ok && refused.Status == status
}

// A usageError reports a command that was wrong before anything was done.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

func isUsage(err error) bool {
	_, ok := errors.AsType[*usageError](err)
	return ok
}

// usageOf makes what cobra found wrong in the arguments of cmd a usage error that points to help.
func usageOf(cmd *cobra.Command, err error) error {
	if isUsage(err) {
		return err
	}
	return usagef("%w; see \"%s --help\"", err, cmd.CommandPath())
}

var flagPattern = regexp.MustCompile(`^[a-z][a-z-]{0,31}$`)

// flagError describes a wrong flag without repeating what may be a misplaced value. An unknown
// command before the flag is reported first.
func flagError(cmd *cobra.Command, err error) error {
	if words := cmd.Flags().Args(); cmd.HasSubCommands() && len(words) > 0 {
		return unknownCommand(cmd, words[0])
	}
	if bad, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		cause := bad.Unwrap()
		if number, ok := errors.AsType[*strconv.NumError](cause); ok {
			cause = number.Err
		}
		return fmt.Errorf("--%s: %w", bad.GetFlag().Name, cause)
	}
	if missing, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return fmt.Errorf("--%s needs an argument", missing.GetFlag().Name)
	}
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if ok && unknown.GetSpecifiedShortnames() == "" &&
		flagPattern.MatchString(unknown.GetSpecifiedName()) {
		return fmt.Errorf("unknown flag --%s", unknown.GetSpecifiedName())
	}
	return errors.New("unknown flag")
}

// report prints an error to standard error: one line, or one for each error that is joined in err.
func (a *app) report(err error) {
	if err == nil {
		return
	}
	if refused, ok := errors.AsType[*client.Error](err); ok {
		// A line break in the server's text must not begin a line here, so it is not split.
		a.infof("keysake: %s", explainRefusal(refused))
		return
	}
	for line := range strings.SplitSeq(explain(err), "\n") {
		a.infof("keysake: %s", line)
	}
}

// explain says what failed and what to do.
func explain(err error) string {
	by, ok := errors.AsType[*signalError](err)
	switch {
	case ok && by.signal == syscall.SIGTERM:
		return "ended by SIGTERM"
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case errors.Is(err, client.ErrNoSealing):
		return "the server is too old for sealed requests, so nothing was sent: update it, or " +
			"send values as they are with --no-sealing"
	}
	if failed, ok := errors.AsType[*url.Error](err); ok {
		server, _, _ := strings.Cut(failed.URL, "/api/v1")
		if bad, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
			return fmt.Sprintf("the certificate of the server at %s is not trusted: %v: "+
				"check the address, or give its certificate authority with --ca-cert",
				server, bad.Err)
		}
		return fmt.Sprintf("cannot reach the server at %s: %v: check that it runs at this address",
			server, failed.Err)
	}
	return strings.TrimPrefix(err.Error(), "client: ")
}

func explainRefusal(e *client.Error) string {
	// A message of the API may point to a path, for which there is a command here.
	commands := strings.NewReplacer(
		"GET /api/v1/user/secrets/presets", `"keysake presets"`,
		"GET /api/v1/user/secrets/{secret_id}/versions", `"keysake secrets versions"`,
	)
	text := e.Detail
	sep := ": "
	for _, f := range e.Fields {
		field := strings.TrimPrefix(strings.TrimPrefix(client.Location(f), "body."), "query.")
		text += sep + field + ": " + commands.Replace(f.Msg)
		sep = "; "
	}
	switch {
	case e.Status == http.StatusUnauthorized:
		text += `: get an API key and run "keysake login"`
	case e.Status == http.StatusUpgradeRequired:
		text += ": install a newer keysake"
	case e.Status == http.StatusTooManyRequests && e.RetryAfter > 0:
		text += fmt.Sprintf(": try again in %s", e.RetryAfter)
	case e.Status >= http.StatusInternalServerError && e.RequestID != "":
		text += ": look for request " + e.RequestID + " in the server's log"
	}
	return text
}
