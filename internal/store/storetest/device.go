package storetest

import (
	"context"

	"github.com/keysake/keysake/internal/vault"
)

func deviceBehaviours() []behaviour {
	return []behaviour{
		{
			"a login is read back by its token and by what is typed, until it is deleted",
			func(s subject) {
				d, other := s.addDevice(deviceOf(1)), s.addDevice(deviceOf(2))
				s.wantSame("by its token", got(s, readDevice(d)), d)
				s.wantSame("by what is typed", got(s, readTyped(d)), d)
				s.wantSame("how many wait", got(s, countDevices), 2)
				s.refuses(vault.Conflict, "the same token", func(tx vault.Tx) error {
					return tx.InsertDeviceLogin(s.ctx, d)
				})
				twin := deviceOf(1)
				twin.Typed = d.Typed
				s.refuses(vault.Conflict, "the same code", func(tx vault.Tx) error {
					return tx.InsertDeviceLogin(s.ctx, twin)
				})
				forget := func(tx vault.Tx) error { return tx.DeleteDeviceLogin(s.ctx, d.Hash) }
				s.update(forget)
				missing(s, "one that was deleted, by its token", readDevice(d))
				missing(s, "one that was deleted, by what is typed", readTyped(d))
				s.refuses(vault.NotFound, "deleting it again", forget)
				s.wantSame("the other one", got(s, readDevice(other)), other)
			},
		},
		{"logins that have expired are forgotten", func(s subject) {
			old, kept := s.addDevice(deviceOf(1)), s.addDevice(deviceOf(2))
			s.update(func(tx vault.Tx) error {
				return tx.DeleteExpiredDeviceLogins(s.ctx, moment(1))
			})
			missing(s, "one that expired", readDevice(old))
			s.wantSame("one that has not", got(s, readDevice(kept)), kept)
		}},
	}
}

// deviceOf returns a login that waits up to a time.
func deviceOf(minutes int) vault.DeviceLogin {
	return vault.DeviceLogin{
		ID: newID(), Hash: random32(), Typed: random32(), Name: "laptop ü", Client: "192.0.2.7",
		Scopes: "secrets:read leases:write", ExpiresAt: moment(minutes), InstanceKey: newID(),
		Code: random32(),
	}
}

func (s subject) addDevice(d vault.DeviceLogin) vault.DeviceLogin {
	s.Helper()
	s.update(func(tx vault.Tx) error { return tx.InsertDeviceLogin(s.ctx, d) })
	return d
}

func readDevice(d vault.DeviceLogin) reads[vault.DeviceLogin] {
	return func(ctx context.Context, r vault.Reader) (vault.DeviceLogin, error) {
		return r.DeviceLogin(ctx, d.Hash)
	}
}

func readTyped(d vault.DeviceLogin) reads[vault.DeviceLogin] {
	return func(ctx context.Context, r vault.Reader) (vault.DeviceLogin, error) {
		return r.DeviceLoginTyped(ctx, d.Typed)
	}
}

func countDevices(ctx context.Context, r vault.Reader) (int, error) {
	return r.CountDeviceLogins(ctx)
}
