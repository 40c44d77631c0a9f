package maintenance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/store"
)

// checkUsers names the users who are to be deleted, and those who were repaired and have not
// confirmed it. Whether their rows are what was stored is said by [doctor.Examine].
func (r *reporter) checkUsers(ctx context.Context, src backup.Source) error {
	var details []string
	repaired := 0
	for u, err := range store.Users(ctx, src) {
		if _, damaged := errors.AsType[*store.DamagedError](err); damaged {
			continue
		}
		if err != nil {
			return err
		}
		if !u.DeleteAt.IsZero() {
			details = append(details, fmt.Sprintf("user %s (%s) is to be deleted at %s", u.Owner,
				u.Username, u.DeleteAt.Format(time.RFC3339)))
		}
		if !u.RepairedAt.IsZero() {
			repaired++
			details = append(details, fmt.Sprintf("user %s (%s) was repaired at %s", u.Owner,
				u.Username, u.RepairedAt.Format(time.RFC3339)))
		}
	}
	c := doctor.Check{
		Name: "users", Status: doctor.OK, Text: "none is to be deleted, or was repaired",
	}
	if len(details) > 0 {
		c.Text = fmt.Sprintf("%d are to be deleted, or were repaired and have not confirmed it",
			len(details))
		c.Details = details[:min(len(details), maxNamed)]
	}
	if repaired > 0 {
		c.Status = doctor.Warning
		c.Advice = "let them look through their secrets, and run keysake confirm"
	}
	r.add(c)
	return nil
}

// maxNamed limits the users that a check names.
const maxNamed = 10
