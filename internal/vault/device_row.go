package vault

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/seal"
)

// A DeviceLogin is a program that waits for a user to let it in. It is of no user yet. Once it is
// confirmed it is a row of API keys, of a kind of its own.
type DeviceLogin struct {
	ID          uuid.UUID
	Hash        TokenHash         // of the token that the program presents
	Typed       [sha256.Size]byte // a code over what people type: its hash would tell it
	Name        string            // what the program calls itself; nothing vouches for it
	Client      string            // its address
	Scopes      string            // that it asks for, with spaces between; empty for the usual ones
	ExpiresAt   time.Time
	InstanceKey uuid.UUID // that made Typed and Code
	Code        [sha256.Size]byte
}

type deviceReader interface {
	// DeviceLogin returns the login of a token. NotFound: none waits.
	DeviceLogin(ctx context.Context, hash TokenHash) (DeviceLogin, error)
	// DeviceLoginTyped returns the login of what people type. NotFound: none waits.
	DeviceLoginTyped(ctx context.Context, typed [sha256.Size]byte) (DeviceLogin, error)
	// CountDeviceLogins returns how many wait.
	CountDeviceLogins(ctx context.Context) (int, error)
}

type deviceWriter interface {
	// InsertDeviceLogin stores a login. Conflict: one waits that is typed the same.
	InsertDeviceLogin(ctx context.Context, d DeviceLogin) error
	// DeleteDeviceLogin forgets a login. NotFound: it does not wait any more.
	DeleteDeviceLogin(ctx context.Context, hash TokenHash) error
	// DeleteExpiredDeviceLogins forgets those that wait no longer than a time.
	DeleteExpiredDeviceLogins(ctx context.Context, at time.Time) error
}

// Row is what the code of a row is about. It says that the row decides: nothing else lists it.
func (d DeviceLogin) Row() anchor.Row {
	return anchor.NewRow("device-login").Bytes(d.Hash[:]).ID(d.ID).Bytes(d.Typed[:]).
		Text(d.Name).Text(d.Client).Text(d.Scopes).Time(d.ExpiresAt)
}

// sign gives a new login both of its codes.
func (d *DeviceLogin) sign(key seal.InstanceKey) {
	d.InstanceKey = key.ID()
	d.Typed = typedCode(key, userCode(key, d.Hash))
	d.Code = d.Row().Code(key)
}

// What people type: eight letters without vowels, so that they are no word, and without those that
// look like others. That is 34 bits, which are enough for some minutes and few tries.
const (
	userCodeLetters = "BCDFGHJKLMNPQRSTVWXZ"
	userCodeLength  = 8
)

// userCode returns what people type for a token. It follows from the token, so that it need not be
// stored.
func userCode(key seal.InstanceKey, hash TokenHash) string {
	bits := anchor.NewRow("user-code").Bytes(hash[:]).Entry(key, 8)
	n := binary.BigEndian.Uint64(bits)
	code := make([]byte, 0, userCodeLength+1)
	for i := range userCodeLength {
		if i == userCodeLength/2 {
			code = append(code, '-')
		}
		code = append(code, userCodeLetters[n%uint64(len(userCodeLetters))])
		n /= uint64(len(userCodeLetters))
	}
	return string(code)
}

// NormalUserCode returns the one form of what was typed, and false for what cannot be a code.
func NormalUserCode(typed string) (string, bool) {
	code := strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(typed))
	if len(code) != userCodeLength || strings.Trim(code, userCodeLetters) != "" {
		return "", false
	}
	return code[:userCodeLength/2] + "-" + code[userCodeLength/2:], true
}

func typedCode(key seal.InstanceKey, code string) [sha256.Size]byte {
	return anchor.NewRow("typed-code").Text(code).Code(key)
}

// wanted returns the scopes that a login asks for; nil for the usual ones.
func (d DeviceLogin) wanted() (names []string) {
	if d.Scopes == "" {
		return nil
	}
	return strings.Fields(d.Scopes)
}

// granted returns the scopes that a login gets from one who holds some. The usual ones are those of
// a new key and keys:write, because clients of the public API make a key of their own with what
// they get. Denied: it asks for more.
func (d DeviceLogin) granted(held []policy.Scope) ([]policy.Scope, error) {
	scopes, err := checkScopes(d.wanted(), held)
	switch {
	case KindOf(err) == Denied:
		return nil, denied("The program asks for more than you may give")
	case err == nil && d.Scopes == "" &&
		len(policy.Missing([]policy.Scope{policy.KeysWrite}, held)) == 0:
		scopes = append(scopes, policy.KeysWrite)
	}
	return scopes, err
}

var errNoLogin = &Error{
	Kind:   NotFound,
	Detail: "No such login waits: it was confirmed or refused, has expired, or never was",
}

// waiting returns the login of what was typed. NotFound: none waits.
func (c *core) waiting(ctx context.Context, rows Reader, typed string) (DeviceLogin, error) {
	key, err := c.instance.first()
	if err != nil {
		return DeviceLogin{}, err
	}
	code, ok := NormalUserCode(typed)
	if !ok {
		return DeviceLogin{}, errNoLogin
	}
	want := typedCode(key, code)
	d, err := rows.DeviceLoginTyped(ctx, want)
	if err == nil && d.Typed != want {
		err = tampered("login of a program", errIndex)
	}
	return d, c.checkWaiting(d, err)
}

// waitingFor is waiting for the token that the program presents.
func (c *core) waitingFor(ctx context.Context, rows Reader, hash TokenHash) (DeviceLogin, error) {
	d, err := rows.DeviceLogin(ctx, hash)
	if err == nil && d.Hash != hash {
		err = tampered("login of a program", errIndex)
	}
	return d, c.checkWaiting(d, err)
}

// checkWaiting refuses a row that an instance key did not sign. One that is not believed any more
// signs nothing: after a restore or a rotation nothing waits.
func (c *core) checkWaiting(d DeviceLogin, err error) error {
	if errors.Is(err, ErrNotFound) {
		return errNoLogin
	}
	if err != nil {
		return err
	}
	key, believed := c.instance.get(d.InstanceKey)
	switch {
	case !believed:
		return errNoLogin
	case !d.Row().HasCode(key, d.Code):
		return tampered("login of a program", errNoCode)
	case !d.ExpiresAt.After(c.time()):
		return errNoLogin
	}
	return nil
}
