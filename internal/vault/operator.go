package vault

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/plaintext"
)

// FindUser returns the id of the user of that name or id, by an id also of one who was tampered
// with. NotFound: there is none.
func (o *Operator) FindUser(ctx context.Context, nameOrID string) (user uuid.UUID, err error) {
	id, notID := uuid.Parse(nameOrID) // no user's name has the form of an id
	err = o.view(ctx, func(r *snapshot) error {
		if notID != nil {
			user, err = r.named(ctx, nameOrID)
			return err
		}
		if _, err = r.user(ctx, id); err == nil || r.isBroken(err) {
			user, err = id, nil
		}
		return err
	})
	return user, err
}

// named returns the id of the user of that name. NotFound: there is none.
func (s *snapshot) named(ctx context.Context, username string) (uuid.UUID, error) {
	stored, err := s.rows.UserNamed(ctx, username)
	if err != nil {
		return uuid.Nil, err
	}
	p, err := s.open(ctx, stored.StoredLedger, stored.Owner)
	if err != nil {
		return uuid.Nil, userError(stored, err)
	}
	user, err := p.identify(stored)
	if err == nil && user.Username != username {
		err = tampered("user "+user.ID.String(), errIndex)
	}
	return user.ID, err
}

// CreateAdmin makes an API key with every scope for the user of that name, and the user if there is
// none. It returns the key's token. The database must have a root key: [Operator.Initialize] comes
// first.
func (o *Operator) CreateAdmin(
	ctx context.Context, username Username, keyName KeyName,
) (plaintext.Value, error) {
	user, err := o.addUser(ctx, Actor{}, UserRequest{Username: username}, nil)
	if KindOf(err) == Conflict {
		user.ID, err = o.FindUser(ctx, username.text)
	}
	if err != nil {
		return plaintext.Value{}, err
	}
	key, token, err := newAPIKey(user.ID, "", keyName)
	if err != nil {
		return plaintext.Value{}, err
	}
	key.Scopes = policy.AllScopes()
	in := intent{action: policy.APIKeyCreateFor, library: userLibrary(user.ID)}
	err = o.apply(ctx, in, func(c *change) error {
		if err := c.checkEnabled(); err != nil {
			return err
		}
		key.CreatedAt = c.at
		c.record(key.target())
		return c.addAPIKey(ctx, key)
	})
	if err != nil {
		return plaintext.Value{}, err
	}
	return token, nil
}

// ListAdmins returns the names of the users who own an active API key with the scope admin.
func (o *Operator) ListAdmins(ctx context.Context) ([]string, error) {
	var users []User
	err := o.view(ctx, func(r *snapshot) (err error) {
		users, err = r.users(ctx, o.now())
		return err
	})
	var names []string
	for _, u := range users {
		if u.Admin {
			names = append(names, u.Username)
		}
	}
	return names, err
}

// RecordBackup records in the instance's chain that a backup is about to be written to a file. It
// comes before the first row is read, so that the backup holds the record of itself.
func (o *Operator) RecordBackup(ctx context.Context, file string) error {
	in := intent{action: policy.BackupCreate, library: instanceLibrary()}
	return o.apply(ctx, in, func(c *change) error {
		c.record(backupTarget(file))
		return nil
	})
}

// A Restore is what is recorded of one.
type Restore struct {
	File      string
	Users     int
	Suspended int         // API keys
	Leases    int         // that were ended
	Skipped   []uuid.UUID // users who were left out
}

// RecordRestore records in the instance's chain, which continues that of the backup, that the
// database was made from a backup.
func (o *Operator) RecordRestore(ctx context.Context, r Restore) error {
	in := intent{action: policy.BackupRestore, library: instanceLibrary()}
	return o.apply(ctx, in, func(c *change) error {
		c.record(backupTarget(r.File))
		c.record(audit.Target{Kind: audit.TargetUser, Name: fmt.Sprint(r.Users, " restored")})
		c.record(audit.Target{
			Kind: audit.TargetAPIKey, Name: fmt.Sprint(r.Suspended, " suspended"),
		})
		c.record(audit.Target{Kind: audit.TargetLease, Name: fmt.Sprint(r.Leases, " ended")})
		for _, user := range r.Skipped {
			c.record(audit.Target{Kind: audit.TargetUser, ID: user, Name: "left out"})
		}
		return nil
	})
}

func backupTarget(file string) audit.Target {
	return audit.Target{Kind: audit.TargetBackup, Name: file}
}
