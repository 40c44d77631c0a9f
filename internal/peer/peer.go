// Package peer says who is at the other end of a socket of this machine.
package peer

import "errors"

// ErrForeign reports that another user is there.
var ErrForeign = errors.New("another user is at the other end")
