package vault_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// done returns what an action that succeeded must have recorded.
func done(
	owner uuid.UUID, who vault.Actor, action policy.Action, target uuid.UUID, name string,
	version uint64,
) audit.Entry {
	e := audit.Entry{
		Owner:      owner,
		User:       who.User,
		Credential: who.Credential,
		Client:     who.Client,
		Action:     string(action),
		Outcome:    audit.Done,
		Target:     audit.Target{ID: target, Name: name, Version: version},
	}
	kind, _, _ := strings.Cut(string(action), ".")
	e.Target.Kind = audit.TargetKind(kind)
	return e
}

func refused(who vault.Actor, action policy.Action) audit.Entry {
	return audit.Entry{
		Owner:      who.User,
		User:       who.User,
		Credential: who.Credential,
		Action:     string(action),
		Outcome:    audit.Refused,
	}
}

// moreRefused is the number of those after the first.
func moreRefused(who vault.Actor, action policy.Action, n uint64) audit.Entry {
	e := refused(who, action)
	e.Target = audit.Target{Kind: audit.TargetRefusals, Version: n}
	return e
}

// everything is a test in which each use case that changes something succeeds once.
type everything struct {
	*fixture
	ann  vault.Actor
	seen []policy.Action
}

// once runs do, which must append exactly one entry: the one that it returns.
func (e *everything) once(do func() (audit.Entry, error)) {
	e.t.Helper()
	total := e.entries()
	want, err := do()
	e.must(err)
	e.seen = append(e.seen, policy.Action(want.Action))
	if n := e.entries() - total; n != 1 {
		e.t.Errorf("%s left %d entries", want.Action, n)
	}
	chain := e.chain(want.Owner)
	e.assertEntries(chain[len(chain)-1:], want)
	if at := chain[len(chain)-1].At; at.After(e.clock.last()) || at.IsZero() {
		e.t.Errorf("%s was recorded at %v", want.Action, at)
	}
}

// entries counts those of all chains.
func (p *fixture) entries() (n int) {
	p.t.Helper()
	p.sqlRow("SELECT COUNT(*) FROM audit_entries", nil, &n)
	return n
}

func TestEverySuccessfulChangeLeavesOneEntryInTheRightChain(t *testing.T) {
	p := start(t)
	e := &everything{fixture: p, ann: p.user("ann")}
	e.ann.Scopes = policy.UserScopes()
	e.secrets()
	e.apiKeys()
	e.sessions()
	e.passkeys()
	e.identities()
	e.devices()
	e.users()
	for action := range p.useCases() {
		if slices.Contains(reads, action) == slices.Contains(e.seen, action) {
			t.Errorf("%s is either no read and was not tried, or a read that left an entry", action)
		}
	}
	p.assertChain(p.admin.User)
}

func (e *everything) secrets() {
	ctx, ann := e.t.Context(), e.ann
	var made, other vault.Secret
	e.once(func() (_ audit.Entry, err error) {
		made, err = e.CreateFromPreset(ctx, ann, fromPreset("openai", fake("first")))
		return done(ann.User, ann, policy.SecretCreate, made.ID, "OPENAI_API_KEY", 1), err
	})
	e.once(func() (_ audit.Entry, err error) {
		other, err = e.CreateSecret(ctx, ann, custom("CUSTOM", fake("custom")))
		return done(ann.User, ann, policy.SecretCreate, other.ID, "CUSTOM", 1), err
	})
	e.once(func() (audit.Entry, error) {
		_, err := e.UpdateSecret(ctx, ann, made.ID, fake("second"))
		return done(ann.User, ann, policy.SecretUpdate, made.ID, "OPENAI_API_KEY", 2), err
	})
	e.once(func() (audit.Entry, error) {
		_, err := e.RenameSecret(ctx, ann, other.ID, secretName("RENAMED"))
		return done(ann.User, ann, policy.SecretRename, other.ID, "RENAMED", 1), err
	})
	e.once(func() (audit.Entry, error) {
		want := done(ann.User, ann, policy.WatchSet, ann.User, "ann", 0)
		want.Target.Kind = audit.TargetUser
		return want, e.SetWatch(ctx, ann, vault.Watch{ProbeEvery: time.Hour})
	})
	e.once(func() (audit.Entry, error) {
		d := must(vault.NewDeadline(e.clock.last().Add(time.Hour), nil))
		return done(ann.User, ann, policy.SecretDeadline, other.ID, "RENAMED", 1),
			e.SetDeadline(ctx, ann, other.ID, d)
	})
	e.once(func() (audit.Entry, error) {
		all, err := e.ImportSecrets(ctx, ann, importOf("IMPORTED=i", false))
		if err != nil {
			return audit.Entry{}, err
		}
		return done(ann.User, ann, policy.SecretImport, all[0].ID, "IMPORTED", 1), nil
	})
	e.once(func() (audit.Entry, error) {
		_, err := e.RollbackSecret(ctx, ann, made.ID, 1)
		return done(ann.User, ann, policy.SecretRollback, made.ID, "OPENAI_API_KEY", 3), err
	})
	e.once(func() (audit.Entry, error) {
		_, err := e.ProbeSecret(ctx, ann, made.ID)
		return done(ann.User, ann, policy.SecretProbe, made.ID, "OPENAI_API_KEY", 3), err
	})
	var lease vault.Delivered
	e.once(func() (_ audit.Entry, err error) {
		lease, err = e.CreateLease(ctx, ann, bundleOf(made.ID))
		want := done(ann.User, ann, policy.LeaseCreate, made.ID, "OPENAI_API_KEY", 3)
		want.Target.Kind, want.Lease = audit.TargetSecret, lease.ID
		return want, err
	})
	e.once(func() (audit.Entry, error) {
		_, _, err := e.RevokeLease(ctx, ann, lease.ID)
		want := done(ann.User, ann, policy.LeaseRevoke, lease.ID, "", 0)
		want.Lease = lease.ID
		return want, err
	})
	e.once(func() (audit.Entry, error) {
		return done(ann.User, ann, policy.SecretDelete, made.ID, "OPENAI_API_KEY", 3),
			e.DeleteSecret(ctx, ann, made.ID)
	})
}

func (e *everything) apiKeys() {
	ctx, ann := e.t.Context(), e.ann
	var key vault.APIKey
	var token plaintext.Value
	e.once(func() (_ audit.Entry, err error) {
		key, token, err = e.CreateAPIKey(
			ctx, ann, vault.APIKeyRequest{Name: keyName("laptop"), SelfRevoke: true},
		)
		return done(ann.User, ann, policy.APIKeyCreate, key.ID, "laptop", 0), err
	})
	e.once(func() (audit.Entry, error) {
		self := e.authenticated(token)
		return done(ann.User, self, policy.APIKeyRevokeSelf, key.ID, "laptop", 0),
			e.RevokeSelf(ctx, self)
	})
	e.once(func() (_ audit.Entry, err error) {
		key, _, err = e.CreateAPIKeyFor(
			ctx, e.admin, ann.User, vault.APIKeyRequest{Name: keyName("from the admin")},
		)
		return done(ann.User, e.admin, policy.APIKeyCreateFor, key.ID, "from the admin", 0), err
	})
	e.once(func() (audit.Entry, error) {
		return done(ann.User, ann, policy.APIKeyRevoke, key.ID, "from the admin", 0),
			e.RevokeAPIKey(ctx, ann, key.ID)
	})
	key, _ = e.newKey(ann, vault.APIKeyRequest{Name: keyName("old")})
	e.once(func() (audit.Entry, error) {
		return done(ann.User, ann, policy.APIKeyRevokeOnly, key.ID, "old", 0),
			e.RevokeAPIKeyOnly(ctx, ann, key.ID)
	})
	var rule vault.TrustRule
	e.once(func() (_ audit.Entry, err error) {
		rule, err = e.CreateTrustRule(ctx, ann, trustRequest())
		return done(ann.User, ann, policy.TrustAdd, rule.ID, "rule", 0), err
	})
	e.once(func() (audit.Entry, error) {
		return done(ann.User, ann, policy.TrustRemove, rule.ID, "rule", 0),
			e.RemoveTrustRule(ctx, ann, rule.ID)
	})
	var grant vault.UserGrant
	e.once(func() (_ audit.Entry, err error) {
		grant, err = e.CreateUserGrant(ctx, ann, grantRequest("admin"))
		return done(ann.User, ann, policy.GrantAdd, grant.ID, "admin", 0), err
	})
	e.once(func() (audit.Entry, error) {
		return done(ann.User, ann, policy.GrantRemove, grant.ID, "admin", 0),
			e.RemoveUserGrant(ctx, ann, grant.ID)
	})
	e.assertChain(ann.User)
}

func (e *everything) sessions() {
	ctx := e.t.Context()
	var link vault.APIKey
	var token plaintext.Value
	e.once(func() (_ audit.Entry, err error) {
		link, token, err = e.CreateSignInLink(ctx, e.admin, e.ann.User)
		return done(e.ann.User, e.admin, policy.SignInLinkCreate, link.ID, "", 0), err
	})
	var own vault.APIKey
	e.once(func() (_ audit.Entry, err error) {
		own, _, err = e.CreateOwnSignInLink(ctx, e.ann)
		return done(e.ann.User, e.ann, policy.SignInLinkOwn, own.ID, "", 0), err
	})
	e.must(e.EndSession(ctx, e.ann, own.ID))
	var session vault.Session
	e.once(func() (_ audit.Entry, err error) {
		session, _, err = e.SignIn(ctx, token, netip.Addr{})
		by := vault.Actor{User: e.ann.User, Credential: audit.Credential{
			Kind: audit.CredentialSignInLink, ID: link.ID,
		}}
		return done(e.ann.User, by, policy.SessionCreate, session.Credential.ID, "", 0), err
	})
	e.once(func() (audit.Entry, error) {
		return done(e.ann.User, e.ann, policy.SessionEnd, session.Credential.ID, "", 0),
			e.EndSession(ctx, e.ann, session.Credential.ID)
	})
	session, _ = e.signedIn(e.ann.User)
	e.once(func() (audit.Entry, error) {
		_, err := e.Stop(ctx, e.ann, vault.Stop{Sessions: true})
		want := done(e.ann.User, e.ann, policy.LibraryStop, session.Credential.ID, "", 0)
		want.Target.Kind = audit.TargetSession
		return want, err
	})
}

func (e *everything) passkeys() {
	ctx := e.t.Context()
	var k vault.Passkey
	e.once(func() (_ audit.Entry, err error) {
		k, err = e.AddPasskey(ctx, e.ann, keyName("laptop"), newTerms(0))
		return done(e.ann.User, e.ann, policy.PasskeyAdd, k.ID, "laptop", 0), err
	})
	e.once(func() (audit.Entry, error) {
		return done(e.ann.User, e.ann, policy.PasskeyRemove, k.ID, "laptop", 0),
			e.RemovePasskey(ctx, e.ann, k.ID)
	})
}

func (e *everything) identities() {
	ctx, id := e.t.Context(), person("ann at work")
	name := id.Issuer + " " + id.Subject
	entry := func(by vault.Actor, action policy.Action) audit.Entry {
		return done(e.ann.User, by, action, uuid.Nil, name, 0)
	}
	var row uuid.UUID
	e.once(func() (audit.Entry, error) {
		err := e.LinkIdentity(ctx, e.admin, e.ann.User, id.Identity)
		var text string
		e.sqlRow("SELECT id FROM api_keys WHERE kind = 'identity'", nil, &text)
		row = uuid.MustParse(text)
		linked := entry(e.admin, policy.IdentityLink)
		linked.Target.ID = row
		return linked, err
	})
	e.once(func() (audit.Entry, error) {
		session, _, err := e.SignInPerson(ctx, id, netip.Addr{})
		by := vault.Actor{User: e.ann.User, Credential: audit.Credential{
			Kind: audit.CredentialIdentity, ID: row,
		}}
		return done(e.ann.User, by, policy.SessionCreate, session.Credential.ID, "", 0), err
	})
	e.once(func() (audit.Entry, error) {
		unlinked := entry(e.admin, policy.IdentityUnlink)
		unlinked.Target.ID = row
		return unlinked, e.UnlinkIdentity(ctx, e.admin, e.ann.User)
	})
}

func (e *everything) devices() {
	ctx := e.t.Context()
	refused, _ := e.waiting(laptop())
	e.once(func() (audit.Entry, error) {
		return done(e.ann.User, e.ann, policy.DeviceRefuse, refused.ID, "laptop", 0),
			e.RefuseDeviceLogin(ctx, e.ann, refused.UserCode)
	})
	login, token := e.waiting(laptop())
	e.once(func() (audit.Entry, error) {
		return done(e.ann.User, e.ann, policy.DeviceConfirm, login.ID, "laptop", 0),
			e.ConfirmDeviceLogin(ctx, e.ann, login.UserCode)
	})
	e.once(func() (audit.Entry, error) {
		key, _, err := e.fetch(token)
		by := vault.Actor{User: e.ann.User, Credential: audit.Credential{
			Kind: audit.CredentialDevice, ID: login.ID,
		}}
		made := done(e.ann.User, by, policy.DeviceLogin, key.ID, "laptop", 0)
		made.Target.Kind = audit.TargetAPIKey
		return made, err
	})
}

func (e *everything) users() {
	ctx := e.t.Context()
	e.once(func() (audit.Entry, error) {
		ben, err := e.CreateUser(ctx, e.admin, userRequest("ben"))
		return done(ben.ID, e.admin, policy.UserCreate, ben.ID, "ben", 0), err
	})
	e.once(func() (audit.Entry, error) {
		return done(e.ann.User, e.ann, policy.UserConfirm, e.ann.User, "ann", 0),
			e.ConfirmRepair(ctx, e.ann)
	})
	e.once(func() (audit.Entry, error) {
		return done(e.ann.User, e.admin, policy.UserDisable, e.ann.User, "ann", 0),
			e.Service.DisableUser(ctx, e.admin, e.ann.User)
	})
	e.once(func() (audit.Entry, error) {
		return done(e.ann.User, e.admin, policy.UserEnable, e.ann.User, "ann", 0),
			e.Service.EnableUser(ctx, e.admin, e.ann.User)
	})
	e.once(func() (audit.Entry, error) {
		return done(e.ann.User, e.admin, policy.UserDeleteLater, e.ann.User, "ann", 0),
			e.Service.DeleteUserLater(ctx, e.admin, e.ann.User)
	})
	e.once(func() (audit.Entry, error) {
		return done(e.ann.User, e.admin, policy.UserKeep, e.ann.User, "ann", 0),
			e.Service.KeepUser(ctx, e.admin, e.ann.User)
	})
	e.once(func() (audit.Entry, error) {
		return done(e.ann.User, e.admin, policy.UserDelete, e.ann.User, "ann", 0),
			e.Service.DeleteUser(ctx, e.admin, e.ann.User)
	})
}

func TestReadsLeaveNoEntry(t *testing.T) {
	p := start(t)
	made := p.secret(p.admin, "MINE", fake("x"))
	lease := p.lease(p.admin, made)
	before := p.entries()
	for _, action := range reads {
		target := made.ID
		if action == policy.LeaseGet || action == policy.LeaseRequests {
			target = lease.ID
		}
		if err := p.useCases()[action](p.admin, target); err != nil {
			t.Errorf("%s: %v", action, err)
		}
	}
	if n := p.entries() - before; n != 0 {
		t.Errorf("they left %d", n)
	}
}

func TestEveryRefusalForLackOfAScopeIsRecorded(t *testing.T) {
	p := start(t)
	made := p.secret(p.admin, "MINE", fake("x"))
	reader, auditor := p.user("ann", policy.SecretsRead), p.user("bob", policy.AuditRead)
	for action, try := range p.useCases() {
		if action == policy.WhoAmI || action == policy.PasskeyList {
			continue // they need none
		}
		ann := auditor
		if policy.Allow(auditor.Scopes, action) {
			ann = reader
		}
		for _, target := range []uuid.UUID{made.ID, ann.User, p.admin.User} {
			total := p.entries()
			got := p.newEntries(
				ann.User, func() { assertKind(t, string(action), try(ann, target), vault.Denied) },
			)
			p.assertEntries(got, refused(ann, action))
			if n := p.entries() - total; n != 1 {
				t.Errorf("%s: %d entries in all", action, n)
			}
			p.must(p.FlushRefusals(t.Context(), true)) // each is the first again
		}
	}
	p.assertChain(reader.User)
	p.assertChain(auditor.User)
	p.assertOpens(p.admin, made.ID, fake("x"))
}

func TestAFullQuotaIsRefusedAndRecorded(t *testing.T) {
	p := startWith(t, 2, 5)
	ann := p.user("ann")
	first := p.secret(ann, "ONE", fake("1"))
	p.secret(ann, "TWO", fake("2"))
	got := p.newEntries(ann.User, func() {
		_, err := p.CreateFromPreset(t.Context(), ann, fromPreset("openai", fake("3")))
		assertKind(t, "the third", err, vault.Denied)
		_, err = p.CreateSecret(t.Context(), ann, custom("TWO", fake("3")))
		assertKind(t, "one of a name that is taken", err, vault.Denied)
		p.must(p.FlushRefusals(t.Context(), true))
	})
	p.assertEntries(
		got, refused(ann, policy.SecretCreate), moreRefused(ann, policy.SecretCreate, 1))
	p.assertChain(ann.User)
	if _, err := p.UpdateSecret(t.Context(), ann, first.ID, fake("4")); err != nil {
		t.Errorf("an update needs no room: %v", err)
	}
	if _, err := p.CreateSecret(t.Context(), p.admin, custom("ONE", fake("1"))); err != nil {
		t.Errorf("another user's quota is full as well: %v", err)
	}
	p.must(p.DeleteSecret(t.Context(), ann, first.ID))
	p.secret(ann, "THREE", fake("3"))
	p.assertChain(ann.User)
}

func TestWhatFailsWithoutBeingRefusedLeavesNoEntry(t *testing.T) {
	p := start(t)
	p.secret(p.admin, "TINKER_API_KEY", fake("x"))
	before := p.entries()
	ctx, nobody := t.Context(), uuid.Must(uuid.NewV7())
	tries := p.useCases()
	assertKind(t, "a conflict", tries[policy.SecretCreate](p.admin, nobody), vault.Conflict)
	for _, action := range []policy.Action{
		policy.SecretGet, policy.SecretUpdate, policy.SecretDelete,
		policy.LeaseCreate, policy.LeaseGet, policy.LeaseRevoke, policy.UsageGet,
		policy.LeaseRequests,
		policy.APIKeyRevoke, policy.APIKeyRevokeOnly, policy.APIKeyCreateFor, policy.UserDelete,
		policy.UserDisable, policy.UserEnable, policy.SignInLinkCreate, policy.SessionEnd,
	} {
		assertKind(t, string(action), tries[action](p.admin, nobody), vault.NotFound)
	}
	_, _, err := p.CreateAPIKey(ctx, p.admin, keyRequest("unheard-of"))
	assertKind(t, "an unknown scope", err, vault.Invalid)
	_, err = p.CreateUser(ctx, p.admin, userRequest("admin"))
	assertKind(t, "a user's name that is taken", err, vault.Conflict)
	err = p.Service.DeleteUser(ctx, p.admin, p.admin.User)
	assertKind(t, "deleting oneself", err, vault.Conflict)
	if n := p.entries() - before; n != 0 {
		t.Errorf("%d entries", n)
	}
	p.assertChain(p.admin.User)
}

func TestNothingIsRefusedUnseen(t *testing.T) {
	p := start(t)
	ann := p.user("ann", policy.AuditRead)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.ListSecrets(ended, ann); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who is gone: %v", err)
	}
	p.must(p.db.Close())
	for action, try := range p.useCases() {
		assertKind(t, string(action), try(ann, ann.User), vault.Unavailable)
	}
}

func TestTheOperatorAtTheMachineIsNobodyToThePolicy(t *testing.T) {
	p := start(t)
	before := p.entries()
	for action, try := range p.useCases() {
		err := try(vault.Actor{}, p.admin.User)
		assertKind(t, string(action), err, vault.Unauthenticated)
	}
	if n := p.entries() - before; n != 0 {
		t.Errorf("%d entries", n)
	}
}

// Who writes the database can set back a ledger, with the end of the chain in it.
func TestALedgerThatWasSetBackIsTampering(t *testing.T) {
	p := start(t)
	p.secret(p.admin, "MINE", fake("x"))
	var number int64
	var ledger, instance []byte
	p.sqlRow("SELECT number, ledger FROM users WHERE id = ?", []any{p.admin.User.String()},
		&number, &ledger)
	p.secret(p.admin, "NEXT", fake("x"))
	p.sql("UPDATE users SET number = ?, ledger = ? WHERE id = ?", number, ledger,
		p.admin.User.String())
	for range 2 {
		_, err := p.CreateSecret(t.Context(), p.admin, custom("OTHER", fake("y")))
		assertTampered(t, "a create", err)
		assertTampered(t, "a list", second(p.ListSecrets(t.Context(), p.admin)))
		p.restart() // what is not seen to be older has another end of the chain, and other rows
	}
	p.sqlRow("SELECT number, ledger FROM instance", nil, &number, &instance)
	p.makeFirst(p.newRoot(2))
	p.sql("UPDATE instance SET number = ?, ledger = ?", number, instance)
	err := p.RewrapKeys(t.Context(), func(int, int) {})
	assertTampered(t, "a rotation of the root key", err)
}

func TestANumberThatWasSetBackRevivesNoRevokedKey(t *testing.T) {
	p := start(t)
	mia := p.user("mia")
	key, token := p.newKey(mia, vault.APIKeyRequest{})
	p.authenticated(token)
	var number int64
	p.sqlRow("SELECT number FROM users WHERE id = ?", []any{mia.User.String()}, &number)
	p.must(p.RevokeAPIKey(t.Context(), mia, key.ID))
	p.sql("UPDATE users SET number = ? WHERE id = ?", number, mia.User.String())
	_, err := p.Authenticate(t.Context(), token)
	assertTampered(t, "the revoked key", err)
}

func second[T any](_ T, err error) error { return err }

// assertTampered checks that the error is one that is logged as tampering and answered as a fault
// of the server.
func assertTampered(t tester, what string, err error) {
	t.Helper()
	assertKind(t, what, err, vault.Internal)
	if !errors.Is(err, vault.ErrTampered) {
		t.Errorf("%s: %v is not tampering", what, err)
	}
}
