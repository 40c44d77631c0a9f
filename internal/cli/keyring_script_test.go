package cli_test

import (
	"os"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/keysake/keysake/internal/keyring/keyringtest"
)

// useKeyring runs a keyring for the user of a script, or changes how it is.
func useKeyring(ts *testscript.TestScript, neg bool, args []string) {
	b := ts.Value(serverKey{}).(*background)
	switch {
	case neg || len(args) > 1 || (len(args) == 0) != (b.keyring == nil):
		ts.Fatalf("usage: keyring, and then keyring lock|freeze|thaw")
	case len(args) == 1:
		change := map[string]func() error{
			"lock": b.keyring.Lock, "freeze": b.keyring.Freeze, "thaw": b.keyring.Thaw,
		}[args[0]]
		ts.Check(change())
		return
	}
	dir, err := os.MkdirTemp("", "ring") // the path of a socket is short
	ts.Check(err)
	ts.Defer(func() { _ = os.RemoveAll(dir) })
	b.keyring, err = keyringtest.Start(dir)
	ts.Check(err)
	ts.Defer(b.keyring.End)
	ts.Setenv("DBUS_SESSION_BUS_ADDRESS", b.keyring.Address)
}

func entries(ts *testscript.TestScript, neg bool, args []string) {
	b := ts.Value(serverKey{}).(*background)
	if neg || len(args) != 1 || b.keyring == nil {
		ts.Fatalf("usage: entries N, after keyring")
	}
	n, err := b.keyring.Count("service", "keysake")
	ts.Check(err)
	if args[0] != strconv.Itoa(n) {
		ts.Fatalf("the keyring has %d entries, not %s", n, args[0])
	}
}
