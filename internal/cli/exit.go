package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/server"
)

// The exit codes are part of the program's interface; exitHelp is their documentation, and exitCode
// the only place that chooses one.
const (
	exitOK             = 0
	exitError          = 1
	exitUsage          = 2
	exitCannotStart    = 3
	exitAuthentication = 4
)

const exitHelp = `Exit codes:
  0  done
  1  an error that no other code stands for
  2  the command was not understood
  3  the server cannot start, or the data folder or a root key of it cannot be opened
  4  authentication: no login, or the server does not accept or allow the API key (401, 403)`

func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	if errors.Is(err, server.ErrCannotStart) {
		return exitCannotStart
	}
	refused, ok := errors.AsType[*client.Error](err)
	if errors.Is(err, errNoLogin) ||
		(ok && (refused.Status == http.StatusUnauthorized || refused.Status == http.StatusForbidden)) {
		return exitAuthentication
	}
	return exitError
}

// A usageError says that the command itself was wrong, before anything was done.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// usageOf makes err, which cobra found in the arguments of cmd, one of usage that says where there
// is help.
func usageOf(cmd *cobra.Command, err error) error {
	return usagef("%w; see \"%s --help\"", err, cmd.CommandPath())
}

var flagPattern = regexp.MustCompile(`^[a-z][a-z-]{0,31}$`)

// flagError words what is wrong with a flag without repeating what may be a value in the wrong
// place. A word before the flag that is no command is the first thing to mend.
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
		return fmt.Errorf("there is no flag --%s", unknown.GetSpecifiedName())
	}
	return errors.New("there is no such flag")
}

// report tells people what went wrong: one line, or one for each error that is joined in err.
func (a *app) report(err error) {
	if err == nil {
		return
	}
	if refused, ok := errors.AsType[*client.Error](err); ok {
		// a line break in it is the server's, and begins no line here
		a.note("keysake: %s", explainRefusal(refused))
		return
	}
	for line := range strings.SplitSeq(explain(err), "\n") {
		a.note("keysake: %s", line)
	}
}

// explain says what failed and what to do.
func explain(err error) string {
	if errors.Is(err, context.Canceled) {
		return "interrupted"
	}
	if lost, ok := errors.AsType[*url.Error](err); ok {
		server, _, _ := strings.Cut(lost.URL, "/api/v1")
		return fmt.Sprintf(
			"cannot reach the server at %s: %v: is it running, and is that its address?",
			server,
			lost.Err,
		)
	}
	return strings.TrimPrefix(err.Error(), "client: ")
}

func explainRefusal(e *client.Error) string {
	text := e.Detail
	sep := ": "
	for _, f := range e.Fields {
		text += sep + strings.TrimPrefix(client.Location(f), "body.") + ": " + f.Msg
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
		text += ": the server's log says more about request " + e.RequestID
	}
	return text
}
