package store

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

var deviceLogins = newTable("device_logins", 1,
	hash("hash", func(d *vault.DeviceLogin) *vault.TokenHash { return &d.Hash }),
	id("id", func(d *vault.DeviceLogin) *uuid.UUID { return &d.ID }),
	hash("typed_code", func(d *vault.DeviceLogin) *[sha256.Size]byte { return &d.Typed }),
	text("name", func(d *vault.DeviceLogin) *string { return &d.Name }),
	text("client", func(d *vault.DeviceLogin) *string { return &d.Client }),
	text("scopes", func(d *vault.DeviceLogin) *string { return &d.Scopes }),
	moment("expires_at", func(d *vault.DeviceLogin) *time.Time { return &d.ExpiresAt }),
	id("instance_key_id", func(d *vault.DeviceLogin) *uuid.UUID { return &d.InstanceKey }),
	hash("code", func(d *vault.DeviceLogin) *[sha256.Size]byte { return &d.Code }))

// DeviceLogin implements [vault.Reader].
func (q *Queries) DeviceLogin(
	ctx context.Context, hash vault.TokenHash,
) (vault.DeviceLogin, error) {
	return deviceLogins.get(ctx, q.conn, "WHERE hash = $1", hash[:])
}

// DeviceLoginTyped implements [vault.Reader].
func (q *Queries) DeviceLoginTyped(
	ctx context.Context, typed [sha256.Size]byte,
) (vault.DeviceLogin, error) {
	return deviceLogins.get(ctx, q.conn, "WHERE typed_code = $1", typed[:])
}

// CountDeviceLogins implements [vault.Reader].
func (q *Queries) CountDeviceLogins(ctx context.Context) (int, error) {
	return q.count(ctx, "SELECT COUNT(*) FROM device_logins")
}

// InsertDeviceLogin implements [vault.Tx].
func (q *Queries) InsertDeviceLogin(ctx context.Context, d vault.DeviceLogin) error {
	return deviceLogins.insert(ctx, q.conn, &d)
}

// DeleteDeviceLogin implements [vault.Tx].
func (q *Queries) DeleteDeviceLogin(ctx context.Context, hash vault.TokenHash) error {
	return q.execOne(ctx, "DELETE FROM device_logins WHERE hash = $1", hash[:])
}

// DeleteExpiredDeviceLogins implements [vault.Tx].
func (q *Queries) DeleteExpiredDeviceLogins(ctx context.Context, at time.Time) error {
	return q.exec(ctx, "DELETE FROM device_logins WHERE expires_at <= $1", micros(at))
}
