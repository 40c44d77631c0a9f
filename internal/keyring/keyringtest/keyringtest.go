// Package keyringtest runs a real keyring for tests: GNOME Keyring, on a bus of its own, with its
// files in a folder of the test.
package keyringtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"
)

// The files of the keyring are protected by this.
const password = "of nobody"

const patience = time.Minute

// busConfig is a bus for the user alone, which starts no program.
const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
	<type>session</type>
	<listen>unix:path=%s</listen>
	<auth>EXTERNAL</auth>
	<policy context="default">
		<allow send_destination="*"/>
		<allow receive_sender="*"/>
		<allow own="*"/>
	</policy>
</busconfig>
`

// A Keyring runs until it is ended. It is unlocked.
type Keyring struct {
	// Address is that of the bus, for DBUS_SESSION_BUS_ADDRESS.
	Address string

	dir         string
	env         []string
	bus, daemon *exec.Cmd
	conn        *dbus.Conn
}

// Start starts a keyring with its files in dir, whose path must be short: it has sockets there.
func Start(dir string) (k *Keyring, err error) {
	k = &Keyring{dir: dir, Address: "unix:path=" + filepath.Join(dir, "bus")}
	k.env = []string{
		"HOME=" + dir, "XDG_RUNTIME_DIR=" + dir, "DBUS_SESSION_BUS_ADDRESS=" + k.Address,
	}
	defer func() {
		if err != nil {
			k.End()
			k = nil
		}
	}()
	config := filepath.Join(dir, "bus.conf")
	text := fmt.Sprintf(busConfig, filepath.Join(dir, "bus"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	k.bus = k.command("dbus-daemon", "--config-file="+config, "--nofork", "--nopidfile")
	if err := k.bus.Start(); err != nil {
		return nil, missing(err)
	}
	if err := until(func() (err error) {
		k.conn, err = dbus.Connect(k.Address)
		return err
	}); err != nil {
		return nil, err
	}
	k.daemon = k.command("gnome-keyring-daemon", "--foreground", "--components=secrets",
		"--unlock", "--control-directory="+dir)
	k.daemon.Stdin = strings.NewReader(password)
	if err := k.daemon.Start(); err != nil {
		return nil, missing(err)
	}
	return k, until(func() error {
		collection, err := k.Collection()
		if err == nil && collection == "/" {
			err = errors.New("it has no collection")
		}
		return err
	})
}

func missing(err error) error {
	return fmt.Errorf("GNOME Keyring is missing: make keyring-programs: %w", err)
}

func until(ready func() error) (err error) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if err = ready(); err == nil {
			return nil
		}
	}
	return err
}

func (k *Keyring) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...) //nolint:gosec,noctx // one of two, until End
	c.Env = k.env
	return c
}

const (
	service = "org.freedesktop.Secret.Service."
	// Its own, in place of a window.
	unlock = "org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface.UnlockWithMasterPassword"
)

func (k *Keyring) call(method string, args ...any) *dbus.Call {
	at := k.conn.Object("org.freedesktop.secrets", "/org/freedesktop/secrets")
	return at.Call(method, 0, args...)
}

// Collection returns where new entries go.
func (k *Keyring) Collection() (at dbus.ObjectPath, err error) {
	return at, k.call(service+"ReadAlias", "default").Store(&at)
}

// Count returns how many entries have an attribute.
func (k *Keyring) Count(name, value string) (int, error) {
	var unlocked, locked []dbus.ObjectPath
	err := k.call(service+"SearchItems", map[string]string{name: value}).Store(&unlocked, &locked)
	return len(unlocked) + len(locked), err
}

// Lock locks the keyring.
func (k *Keyring) Lock() error {
	at, err := k.Collection()
	if err != nil {
		return err
	}
	return k.call(service+"Lock", []dbus.ObjectPath{at}).Err
}

// Unlock unlocks it, as what asks the user for the password does.
func (k *Keyring) Unlock() error {
	at, err := k.Collection()
	if err != nil {
		return err
	}
	s, err := k.secret(password)
	if err != nil {
		return err
	}
	return k.call(unlock, at, s).Err
}

// A secret is what an entry holds.
type secret struct {
	Session    dbus.ObjectPath
	Parameters []byte
	Value      []byte
	Type       string
}

func (k *Keyring) secret(text string) (secret, error) {
	s := secret{"", []byte{}, []byte(text), "text/plain"}
	var output dbus.Variant
	err := k.call(service+"OpenSession", "plain", dbus.MakeVariant("")).Store(&output, &s.Session)
	return s, err
}

// KeepOpen keeps a text where nothing is ever locked, or stored on the disk.
func (k *Keyring) KeepOpen(attributes map[string]string, text string) error {
	s, err := k.secret(text)
	if err != nil {
		return err
	}
	const at = "/org/freedesktop/secrets/collection/session"
	properties := map[string]dbus.Variant{
		"org.freedesktop.Secret.Item.Attributes": dbus.MakeVariant(attributes),
	}
	return k.conn.Object("org.freedesktop.secrets", at).
		Call("org.freedesktop.Secret.Collection.CreateItem", 0, properties, s, false).Err
}

// Freeze makes the keyring answer nothing, until Thaw.
func (k *Keyring) Freeze() error { return k.daemon.Process.Signal(syscall.SIGSTOP) }

// Thaw makes it answer again.
func (k *Keyring) Thaw() error { return k.daemon.Process.Signal(syscall.SIGCONT) }

// End ends the keyring and its bus.
func (k *Keyring) End() {
	if k.conn != nil {
		_ = k.conn.Close()
	}
	for _, c := range []*exec.Cmd{k.daemon, k.bus} {
		if c != nil && c.Process != nil {
			_ = c.Process.Kill()
			_ = c.Wait()
		}
	}
}
