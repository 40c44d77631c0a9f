//go:build !darwin && !windows

package keyring

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/keysake/keysake/internal/peer"
	"github.com/keysake/keysake/plaintext"
)

// What the Secret Service is called on the bus, and in its specification.
const (
	busName      = "org.freedesktop.secrets"
	root         = dbus.ObjectPath("/org/freedesktop/secrets")
	ofService    = "org.freedesktop.Secret.Service."
	ofCollection = "org.freedesktop.Secret.Collection."
	ofItem       = "org.freedesktop.Secret.Item."
	ofPrompt     = "org.freedesktop.Secret.Prompt"

	nothing = dbus.ObjectPath("/") // no prompt, or no collection
)

// A secret is what an item holds.
type secret struct {
	Session     dbus.ObjectPath
	Parameters  []byte
	Value       []byte
	ContentType string
}

// Get returns the text of a name. ErrNotFound: there is none. Other errors say why the keyring
// cannot be asked.
func (k Keyring) Get(ctx context.Context, name string) (text plaintext.Value, err error) {
	err = k.open(ctx, func(s *session) error {
		items, locked, err := s.search(name)
		if err == nil && len(items) == 0 && len(locked) > 0 { // one that can be read will do
			items, err = locked, s.unlock(locked...)
		}
		if err != nil {
			return err
		}
		if len(items) == 0 {
			return ErrNotFound
		}
		var found secret
		err = s.call(items[0], ofItem+"GetSecret", s.path).Store(&found)
		text = plaintext.Own(found.Value)
		return err
	})
	return text, err
}

// Set keeps a text under a name, in place of an earlier one. label is what people see of it.
func (k Keyring) Set(ctx context.Context, name, label string, text plaintext.Value) error {
	return k.open(ctx, func(s *session) error {
		var collection, prompt dbus.ObjectPath
		err := s.call(root, ofService+"ReadAlias", "default").Store(&collection)
		if err == nil && collection == nothing {
			err = errors.New("the keyring has no collection for new entries")
		}
		if err == nil {
			err = s.unlock(collection)
		}
		if err != nil {
			return err
		}
		properties := map[string]dbus.Variant{
			ofItem + "Label":      dbus.MakeVariant(label),
			ofItem + "Attributes": dbus.MakeVariant(attributes(name)),
		}
		kept := secret{s.path, []byte{}, text.Reveal(), "text/plain; charset=utf8"}
		var item dbus.ObjectPath
		const replace = true
		err = s.call(collection, ofCollection+"CreateItem", properties, kept, replace).
			Store(&item, &prompt)
		return errors.Join(err, s.answer(prompt))
	})
}

// Delete removes what is kept under a name, if it is there.
func (k Keyring) Delete(ctx context.Context, name string) error {
	return k.open(ctx, func(s *session) error {
		items, locked, err := s.search(name)
		if err == nil && len(locked) > 0 {
			err = s.unlock(locked...)
		}
		if err != nil {
			return err
		}
		for _, item := range append(items, locked...) {
			var prompt dbus.ObjectPath
			failed := s.call(item, ofItem+"Delete").Store(&prompt)
			err = errors.Join(err, failed, s.answer(prompt))
		}
		return err
	})
}

func attributes(name string) map[string]string {
	return map[string]string{"service": service, "username": name}
}

// A session is a connection to the Secret Service. Its end ends every call.
type session struct {
	bus  *dbus.Conn
	path dbus.ObjectPath
	ask  func()
	// wait gives the keyring more time. What ends then is the connection, with this cause.
	wait func(time.Duration, error)
}

// open connects to the Secret Service for what do asks of it.
func (k Keyring) open(ctx context.Context, do func(*session) error) (err error) {
	address, found := k.socket()
	if !found {
		return errNone
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	s := &session{ask: k.Ask}
	var timer *time.Timer
	s.wait = func(d time.Duration, cause error) {
		if timer != nil {
			timer.Stop()
		}
		timer = time.AfterFunc(d, func() { end(cause) })
	}
	s.wait(AnswerTime, errSilent)
	defer func() {
		timer.Stop()
		if cause := context.Cause(ctx); err != nil && cause != nil {
			err = cause
		}
	}()
	if s.bus, err = connect(ctx, address); err != nil {
		return err
	}
	defer s.bus.Close() //nolint:errcheck // nothing is left to be sent
	// The keyring sends values as they are: by a socket of this machine that is the user's own.
	var output dbus.Variant
	err = s.call(root, ofService+"OpenSession", "plain", dbus.MakeVariant("")).
		Store(&output, &s.path)
	if err == nil {
		err = do(s)
	}
	return explained(err)
}

// socket returns the address of the bus of the user's session, if it is a socket of this machine.
// None is started.
func (k Keyring) socket() (address string, found bool) {
	for one := range strings.SplitSeq(k.Env("DBUS_SESSION_BUS_ADDRESS"), ";") {
		options, isSocket := strings.CutPrefix(one, "unix:")
		if !isSocket {
			continue
		}
		for option := range strings.SplitSeq(options, ",") {
			name, value, _ := strings.Cut(option, "=")
			value, err := url.PathUnescape(value)
			switch {
			case err != nil:
			case name == "path":
				return value, true
			case name == "abstract":
				return "@" + value, true
			}
		}
	}
	if dir := k.Env("XDG_RUNTIME_DIR"); dir != "" && k.Env("DBUS_SESSION_BUS_ADDRESS") == "" {
		address = filepath.Join(dir, "bus")
		_, err := os.Stat(address)
		return address, err == nil
	}
	return "", false
}

// connect connects to a bus until ctx ends.
func connect(ctx context.Context, address string) (*dbus.Conn, error) {
	var d net.Dialer
	socket, err := d.DialContext(ctx, "unix", address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNone, err)
	}
	if err := peer.Check(socket); err != nil { // it would be given the key
		return nil, errors.Join(fmt.Errorf("%w: %s: %w", errNone, address, err), socket.Close())
	}
	bus, err := dbus.NewConn(socket, dbus.WithContext(ctx))
	if err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	if err = bus.Auth(nil); err == nil {
		err = bus.Hello()
	}
	if err != nil {
		_ = bus.Close()
		return nil, fmt.Errorf("%w: %w", errNone, err)
	}
	return bus, nil
}

// explained replaces what the bus says where nothing is the keyring.
func explained(err error) error {
	answer, ok := errors.AsType[dbus.Error](err)
	if !ok {
		return err
	}
	switch answer.Name {
	case "org.freedesktop.DBus.Error.ServiceUnknown",
		"org.freedesktop.DBus.Error.NameHasNoOwner":
		return errNone
	}
	return errors.New("the keyring refused: " + answer.Error())
}

func (s *session) call(path dbus.ObjectPath, method string, args ...any) *dbus.Call {
	return s.bus.Object(busName, path).Call(method, 0, args...)
}

// search returns the items of a name.
func (s *session) search(name string) (unlocked, locked []dbus.ObjectPath, err error) {
	err = s.call(root, ofService+"SearchItems", attributes(name)).Store(&unlocked, &locked)
	return unlocked, locked, err
}

// unlock unlocks items or a collection, if they are locked.
func (s *session) unlock(objects ...dbus.ObjectPath) error {
	prompt, err := s.tryUnlock(objects)
	if err == nil {
		err = s.answer(prompt)
	}
	if errors.Is(err, errDismissed) { // in this window; it may have been unlocked elsewhere
		if prompt, failed := s.tryUnlock(objects); failed == nil && prompt == nothing {
			return nil
		}
	}
	return err
}

// tryUnlock returns the prompt by which objects are unlocked, and nothing if they are.
func (s *session) tryUnlock(objects []dbus.ObjectPath) (prompt dbus.ObjectPath, err error) {
	var unlocked []dbus.ObjectPath
	err = s.call(root, ofService+"Unlock", objects).Store(&unlocked, &prompt)
	return prompt, err
}

// answer has the user answer a prompt of the keyring, if it has one.
func (s *session) answer(prompt dbus.ObjectPath) error {
	switch {
	case prompt == nothing || prompt == "":
		return nil
	case s.ask == nil:
		_ = s.call(prompt, ofPrompt+".Dismiss") // it was never shown
		return errLocked
	}
	completed := make(chan *dbus.Signal, 8)
	s.bus.Signal(completed)
	err := s.bus.AddMatchSignal(dbus.WithMatchObjectPath(prompt), dbus.WithMatchInterface(ofPrompt))
	if err != nil {
		return err
	}
	s.ask()
	s.wait(UnlockTime, errAlone)
	if err := s.call(prompt, ofPrompt+".Prompt", "").Err; err != nil {
		return err
	}
	for signal := range completed { // until the connection ends
		if signal.Path != prompt || signal.Name != ofPrompt+".Completed" {
			continue
		}
		s.wait(AnswerTime, errSilent)
		if slices.Contains(signal.Body, any(true)) {
			return errDismissed
		}
		return nil
	}
	return errDismissed
}
