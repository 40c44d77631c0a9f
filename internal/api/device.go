package api

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/identity"
	"github.com/keysake/keysake/internal/middleware"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

const devicePath = "/api/v1/auth/device"

// How often one client network may ask for a login, in a minute and at once, and for what became of
// one, in a second and at once. A program may ask again after pollSeconds.
const (
	startsAMinute = 6
	startsAtOnce  = 30
	asksASecond   = 20
	asksAtOnce    = 100
	pollSeconds   = 2
)

// devices are the operations by which programs are let in by their users: the device authorization
// grant of RFC 8628, in the shapes of the public API.
type devices struct {
	vault  *vault.Service
	body   decoder[wire.StartDeviceLogin]
	starts *middleware.Limiter[netip.Prefix]
	asks   *middleware.Limiter[netip.Prefix]
	polls  *middleware.Limiter[[sha256.Size]byte]
}

func newDevices(v *vault.Service) *devices {
	// A program that waits the time it was told is never too early: clocks and networks differ.
	const tolerated = 1.25
	return &devices{
		vault: v, body: newDecoder[wire.StartDeviceLogin](),
		starts: middleware.NewLimiter[netip.Prefix]("logins", startsAMinute/60.0, startsAtOnce),
		asks:   middleware.NewLimiter[netip.Prefix]("asks", asksASecond, asksAtOnce),
		polls: middleware.NewLimiter[[sha256.Size]byte](
			"polls", tolerated/pollSeconds, 1),
	}
}

// start begins a login. Clients of the public API send no body.
func (d *devices) start(w http.ResponseWriter, r *request) error {
	if err := d.takeAsk(w, r); err != nil {
		return err
	}
	var in vault.DeviceRequest
	if r.ContentLength != 0 || r.Header.Get("Content-Type") != "" {
		var err error
		if in, err = parseBody(d.body, parseDeviceLogin, r.Request); err != nil {
			return err
		}
	}
	in.Client = middleware.From(r.Context()).Client
	if err := take(w, d.starts, middleware.Network(in.Client)); err != nil {
		return err
	}
	login, token, err := d.vault.StartDeviceLogin(r.Context(), in)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, deviceBody(r, login, token))
	return nil
}

func parseDeviceLogin(in wire.StartDeviceLogin) (vault.DeviceRequest, error) {
	name, badName := vault.NewKeyName(valueOrZero(in.Name))
	scopes, badScopes := vault.NewScopes(valueOrZero(in.AllowedScopes))
	return vault.DeviceRequest{Name: name, Scopes: scopes}, vault.JoinInvalid(badName, badScopes)
}

// look says what became of a login, to the program that has its code.
func (d *devices) look(w http.ResponseWriter, r *request) error {
	if err := d.takeAsk(w, r); err != nil {
		return err
	}
	token := plaintext.FromString(r.PathValue("code"))
	login, err := d.vault.LookAtDeviceLogin(r.Context(), token)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, deviceBody(r, login, token))
	return nil
}

// fetch gives a program its API key. While the user has not decided, the answer is a 401, as the
// public API has it, and says when to ask again.
func (d *devices) fetch() handler {
	decode := newDecoder[wire.FetchDeviceLogin]()
	parse := func(in wire.FetchDeviceLogin) (plaintext.Value, error) {
		return plaintext.FromString(in.DeviceCode), nil
	}
	return func(w http.ResponseWriter, r *request) error {
		if err := d.takeAsk(w, r); err != nil {
			return err
		}
		token, err := parseBody(decode, parse, r.Request)
		if err != nil {
			return err
		}
		if err := take(w, d.polls, sha256.Sum256(token.Reveal())); err != nil {
			return err
		}
		client := middleware.From(r.Context()).Client
		_, made, err := d.vault.FetchDeviceLogin(r.Context(), token, client)
		if errors.Is(err, vault.ErrLoginWaits) {
			w.Header().Set("Retry-After", strconv.Itoa(pollSeconds))
		}
		if err != nil {
			return err
		}
		writeJSON(w, http.StatusOK, wire.DeviceToken{AccessToken: string(made.Reveal())})
		return nil
	}
}

func (d *devices) takeAsk(w http.ResponseWriter, r *request) error {
	return take(w, d.asks, middleware.Network(middleware.From(r.Context()).Client))
}

// take takes from a limit, and says what is left of it.
func take[K comparable](w http.ResponseWriter, from *middleware.Limiter[K], of K) error {
	left, err := from.Take(of)
	left.Show(w.Header(), err)
	return err
}

func deviceBody(
	r *request, login vault.WaitingLogin, token plaintext.Value,
) wire.DeviceLogin {
	body := wire.DeviceLogin{
		ID: login.ID.String(), DeviceCode: string(token.Reveal()), UserCode: login.UserCode,
		VerificationURL: ownAddress(r.Request) + identity.PathOfDevice(login.UserCode),
		ExpiresAt:       wire.At(login.ExpiresAt),
		ExpiresIn:       max(0, int64(time.Until(login.ExpiresAt)/time.Second)),
		Completed:       login.User != uuid.Nil, UserID: idOrNull(login.User),
	}
	return body
}

// ownAddress returns the address of this server as the client has it. A server that is reached by
// HTTP serves this machine alone, or is behind what ends TLS.
func ownAddress(r *http.Request) string {
	own := url.URL{Scheme: "https", Host: r.Host}
	if host, err := netip.ParseAddr(own.Hostname()); r.TLS == nil &&
		(err == nil && host.IsLoopback() || own.Hostname() == "localhost") {
		own.Scheme = "http"
	}
	return own.String()
}
