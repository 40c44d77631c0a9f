// Package keyring keeps texts in the keyring of the user's system: where there is D-Bus, in what
// answers there as the Secret Service, such as GNOME Keyring, KWallet or KeePassXC; on macOS in the
// login keychain; on Windows among the credentials of the user.
//
// A keyring may be locked, wait for somebody, or hang. Nothing here waits for longer than it says.
package keyring

import (
	"errors"
	"time"
)

// The longest waits: for a keyring that needs nobody, and for somebody who unlocks it.
const (
	AnswerTime = 5 * time.Second
	UnlockTime = time.Minute
)

// service is what all entries here have in common, and what people find them by.
const service = "keysake"

var (
	// ErrNotFound reports that the keyring has no such entry, or shows it to nobody while it is
	// locked.
	ErrNotFound = errors.New("the keyring has no such entry, or is locked")

	errNone      = errors.New("there is no keyring here")
	errSilent    = errors.New("the keyring did not answer within " + AnswerTime.String())
	errLocked    = errors.New("the keyring is locked, and nobody is here who could unlock it")
	errAlone     = errors.New("nobody unlocked the keyring within " + UnlockTime.String())
	errDismissed = errors.New("the keyring was not unlocked")
)

// A Keyring is the one of the user whose environment it has.
type Keyring struct {
	Env func(name string) string
	// Ask is called before the system asks the user to unlock the keyring. nil: nobody is there,
	// and a locked keyring is an error.
	Ask func()
}
