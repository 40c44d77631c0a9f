package vault

import (
	"errors"

	"github.com/google/uuid"
)

// errStale is the error of a transaction that finds that what was prepared for it is no longer so:
// another owner key seals, the secret has another version, or the root key was dropped.
var errStale = errors.New("what the change was prepared for has changed in the meantime")

// maxTries bounds how often a change is prepared, and how often an audit entry is appended.
const maxTries = 4

// retry runs prepare, which reads, opens, seals and then makes one transaction, and runs it again
// while its error is [errStale]. Unavailable: every run was stale.
func (c *core) retry(user uuid.UUID, prepare func() error) error {
	var err error
	for range maxTries {
		if err = prepare(); !errors.Is(err, errStale) {
			return err
		}
		c.keys.dropCurrent(user)
		c.verified.remove(user)
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err // such as a key that is missing every time
	}
	return &Error{
		Kind: Unavailable, Detail: "Too many changes at once: try again later", Cause: err,
	}
}
