package cli

import (
	"context"
	"errors"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/child"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// errNoDecision reports that a user did not let this program in.
var errNoDecision = errors.New("the login was refused, or nobody confirmed it in time: " +
	"nothing was stored")

// userCodePattern is what people type. What a server sends is shown only if it is of that form.
var userCodePattern = regexp.MustCompile(`^[A-Z]{4}-[A-Z]{4}$`)

// devicePage is where people let programs in.
const devicePage = "/ui/device?code="

// pollAfter is how long to wait for a decision if the server does not say.
const pollAfter = 2 * time.Second

// deviceLogin has a user let this program in, in a browser, and returns its new API key.
func (a *app) deviceLogin(
	ctx context.Context, to login, scopes []string, browser bool,
) (plaintext.Value, error) {
	c, err := a.client(to)
	if err != nil {
		return plaintext.Value{}, err
	}
	in := wire.StartDeviceLogin{Name: new(programName())}
	if len(scopes) > 0 {
		in.AllowedScopes = &scopes
	}
	started, err := c.StartDeviceLogin(ctx, in)
	if err != nil {
		return plaintext.Value{}, err
	}
	if !userCodePattern.MatchString(started.UserCode) {
		return plaintext.Value{}, errors.New("the server sent a code that is none")
	}
	// Not what the server says: where people sign in is where they were told to.
	at := strings.TrimSuffix(strings.TrimRight(to.URL, "/"), "/api") +
		devicePage + started.UserCode
	a.infof("Open this page, and let this program in if the page shows the code %s:",
		started.UserCode)
	a.infof("  %s", at)
	if browser {
		a.openBrowser(at)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(started.ExpiresIn)*time.Second)
	defer cancel()
	return awaitDecision(ctx, c, plaintext.FromString(started.DeviceCode))
}

// programName says which program of which machine asks, for the user to recognise.
func programName() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		return "keysake"
	}
	return "keysake on " + strings.ToValidUTF8(host, "")
}

// awaitDecision asks until the user has decided.
func awaitDecision(
	ctx context.Context, c *client.Client, code plaintext.Value,
) (plaintext.Value, error) {
	for wait := pollAfter; ; {
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return plaintext.Value{}, errNoDecision
			}
			return plaintext.Value{}, ctx.Err()
		case <-time.After(wait):
		}
		made, err := c.FetchDeviceLogin(ctx, code)
		if err == nil {
			return plaintext.FromString(made.AccessToken), nil
		}
		refused, ok := errors.AsType[*client.Error](err)
		switch {
		case ok && refused.Status == http.StatusNotFound:
			return plaintext.Value{}, errNoDecision
		case ok && (errors.Is(err, client.ErrUnauthenticated) ||
			errors.Is(err, client.ErrRateLimited)):
			wait = max(pollAfter, refused.RetryAfter)
		default:
			return plaintext.Value{}, err
		}
	}
}

// openBrowser opens a page where there is a screen. That it cannot is no error: the user has the
// address.
func (a *app) openBrowser(address string) {
	if !a.hasScreen() {
		return
	}
	name := "xdg-open"
	if runtime.GOOS == "darwin" {
		name = "open"
	}
	if path, err := child.Find(name, a.getenv("PATH")); err == nil {
		_ = child.Start(child.Command{File: path, Args: []string{name, address}, Env: os.Environ()})
	}
}

// hasScreen reports whether a window that is opened now is before the user.
func (a *app) hasScreen() bool {
	return runtime.GOOS == "darwin" || runtime.GOOS == "windows" ||
		a.getenv("DISPLAY") != "" || a.getenv("WAYLAND_DISPLAY") != ""
}
