package vault_test

import (
	"errors"
	"maps"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
)

// A useCase is one method of the service. It is done to the target where it is done to something
// that is there already.
type useCase func(who vault.Actor, target uuid.UUID) error

// useCases returns all that there are, by the action that each has in the policy.
func (p *fixture) useCases() map[policy.Action]useCase {
	ctx := p.t.Context()
	return map[policy.Action]useCase{
		policy.SecretList: func(who vault.Actor, _ uuid.UUID) error {
			_, err := p.ListSecrets(ctx, who)
			return err
		},
		policy.SecretGet: func(who vault.Actor, target uuid.UUID) error {
			_, err := p.GetSecret(ctx, who, target)
			return err
		},
		policy.SecretCreate: func(who vault.Actor, _ uuid.UUID) error {
			_, err := p.CreateFromPreset(ctx, who, fromPreset("tinker", fake("x")))
			return err
		},
		policy.SecretUpdate: func(who vault.Actor, target uuid.UUID) error {
			_, err := p.UpdateSecret(ctx, who, target, fake("y"))
			return err
		},
		policy.VersionList: func(who vault.Actor, target uuid.UUID) error {
			_, err := p.ListVersions(ctx, who, target)
			return err
		},
		policy.SecretRename: func(who vault.Actor, target uuid.UUID) error {
			_, err := p.RenameSecret(ctx, who, target, secretName("RENAMED"))
			return err
		},
		policy.SecretDeadline: func(who vault.Actor, target uuid.UUID) error {
			d := must(vault.NewDeadline(p.clock.last().Add(time.Hour), nil))
			if err := p.SetDeadline(ctx, who, target, d); err != nil {
				return err
			}
			return p.ClearDeadline(ctx, who, target)
		},
		policy.WatchGet: func(who vault.Actor, _ uuid.UUID) error {
			return second(p.GetWatch(ctx, who))
		},
		policy.WatchSet: func(who vault.Actor, _ uuid.UUID) error {
			return p.SetWatch(ctx, who, vault.Watch{ProbeEvery: time.Hour})
		},
		policy.SecretImport: func(who vault.Actor, _ uuid.UUID) error {
			in := must(vault.NewImport([]vault.SecretRequest{custom("IMPORTED", fake("i"))}, false))
			_, err := p.ImportSecrets(ctx, who, in)
			return err
		},
		policy.SecretRollback: func(who vault.Actor, target uuid.UUID) error {
			_, err := p.RollbackSecret(ctx, who, target, 1)
			return err
		},
		policy.SecretDelete: func(who vault.Actor, target uuid.UUID) error {
			return p.DeleteSecret(ctx, who, target)
		},
		policy.LeaseCreate: func(who vault.Actor, target uuid.UUID) error {
			made, err := p.CreateLease(ctx, who, bundleOf(target))
			if err != nil && len(made.Bundle) > 0 {
				p.t.Error("an error, and yet a bundle")
			}
			return err
		},
		policy.LeaseList: func(who vault.Actor, _ uuid.UUID) error {
			_, _, err := p.ListLeases(ctx, who, vault.LeaseFilter{})
			return err
		},
		policy.LeaseGet: func(who vault.Actor, target uuid.UUID) error {
			return second(p.GetLease(ctx, who, target))
		},
		policy.LeaseRequests: func(who vault.Actor, target uuid.UUID) error {
			return second(p.ListBrokered(ctx, who, vault.BrokeredQuery{Lease: target}))
		},
		policy.LeaseRevoke: func(who vault.Actor, target uuid.UUID) error {
			_, _, err := p.RevokeLease(ctx, who, target)
			return err
		},
		policy.HealthGet: func(who vault.Actor, target uuid.UUID) error {
			if _, err := p.SecretHealths(ctx, who); err != nil {
				return err
			}
			return second(p.SecretHealth(ctx, who, target))
		},
		policy.SecretProbe: func(who vault.Actor, target uuid.UUID) error {
			_, err := p.ProbeSecret(ctx, who, target)
			return err
		},
		policy.UsageGet: func(who vault.Actor, target uuid.UUID) error {
			_, _, err := p.SecretRuns(ctx, who, target)
			return errors.Join(second(p.SecretUsages(ctx, who)),
				second(p.SecretUsage(ctx, who, target)), err)
		},
		policy.PresetList: func(who vault.Actor, _ uuid.UUID) error {
			_, err := p.ListPresets(ctx, who)
			return err
		},
		policy.APIKeyCreate: func(who vault.Actor, _ uuid.UUID) error {
			_, _, err := p.CreateAPIKey(ctx, who, vault.APIKeyRequest{Name: keyName("made")})
			return err
		},
		policy.APIKeyCreateFor: func(who vault.Actor, target uuid.UUID) error {
			_, _, err := p.CreateAPIKeyFor(
				ctx, who, target, vault.APIKeyRequest{Name: keyName("granted")},
			)
			return err
		},
		policy.APIKeyList: func(who vault.Actor, _ uuid.UUID) error {
			_, err := p.ListAPIKeys(ctx, who)
			return err
		},
		policy.APIKeyListAll: func(who vault.Actor, _ uuid.UUID) error {
			_, _, err := p.ListAllAPIKeys(ctx, who, vault.KeyFilter{})
			return err
		},
		policy.FleetGet: func(who vault.Actor, _ uuid.UUID) error {
			return second(p.InstanceState(ctx, who))
		},
		policy.UsageListAll: func(who vault.Actor, _ uuid.UUID) error {
			return second(p.ServerUsage(ctx, who, 30))
		},
		policy.APIKeyRevoke: func(who vault.Actor, target uuid.UUID) error {
			return p.RevokeAPIKey(ctx, who, target)
		},
		policy.APIKeyRevokeOnly: func(who vault.Actor, target uuid.UUID) error {
			return p.RevokeAPIKeyOnly(ctx, who, target)
		},
		policy.APIKeyRevokeSelf: func(who vault.Actor, _ uuid.UUID) error {
			return p.RevokeSelf(ctx, who)
		},
		policy.SignInLinkCreate: func(who vault.Actor, target uuid.UUID) error {
			_, _, err := p.CreateSignInLink(ctx, who, target)
			return err
		},
		policy.SignInLinkOwn: func(who vault.Actor, _ uuid.UUID) error {
			_, _, err := p.CreateOwnSignInLink(ctx, who)
			return err
		},
		policy.IdentityLink: func(who vault.Actor, target uuid.UUID) error {
			return p.LinkIdentity(ctx, who, target, person(uuid.NewString()).Identity)
		},
		policy.IdentityUnlink: func(who vault.Actor, target uuid.UUID) error {
			return p.UnlinkIdentity(ctx, who, target)
		},
		policy.SessionList: func(who vault.Actor, _ uuid.UUID) error {
			_, err := p.ListSessions(ctx, who)
			return err
		},
		policy.SessionEnd: func(who vault.Actor, target uuid.UUID) error {
			return p.EndSession(ctx, who, target)
		},
		policy.PasskeyAdd: func(who vault.Actor, _ uuid.UUID) error {
			return second(p.AddPasskey(ctx, who, keyName("laptop"), newTerms(0)))
		},
		policy.PasskeyList: func(who vault.Actor, _ uuid.UUID) error {
			return second(p.ListPasskeys(ctx, who))
		},
		policy.PasskeyRemove: func(who vault.Actor, target uuid.UUID) error {
			return p.RemovePasskey(ctx, who, target)
		},
		policy.TrustAdd: func(who vault.Actor, _ uuid.UUID) error {
			return second(p.CreateTrustRule(ctx, who, trustRequest()))
		},
		policy.TrustList: func(who vault.Actor, _ uuid.UUID) error {
			return second(p.ListTrustRules(ctx, who))
		},
		policy.TrustRemove: func(who vault.Actor, target uuid.UUID) error {
			return p.RemoveTrustRule(ctx, who, target)
		},
		policy.GrantAdd: func(who vault.Actor, _ uuid.UUID) error {
			return second(p.CreateUserGrant(ctx, who, grantRequest("admin")))
		},
		policy.GrantList: func(who vault.Actor, _ uuid.UUID) error {
			return second(p.ListUserGrants(ctx, who))
		},
		policy.GrantRemove: func(who vault.Actor, target uuid.UUID) error {
			return p.RemoveUserGrant(ctx, who, target)
		},
		policy.LibraryStop: func(who vault.Actor, _ uuid.UUID) error {
			_, err := p.Stop(ctx, who, vault.Stop{Leases: true, Sessions: true})
			return err
		},
		policy.AuditList: func(who vault.Actor, _ uuid.UUID) error {
			_, err := p.ListAudit(ctx, who, vault.AuditQuery{})
			return err
		},
		policy.AuditListAll: func(who vault.Actor, _ uuid.UUID) error {
			_, err := p.ListAnyAudit(ctx, who, uuid.Nil, vault.AuditQuery{})
			return err
		},
		policy.DeviceConfirm: func(who vault.Actor, _ uuid.UUID) error {
			login, _, err := p.StartDeviceLogin(ctx, laptop())
			if err != nil {
				return err
			}
			return p.ConfirmDeviceLogin(ctx, who, login.UserCode)
		},
		policy.DeviceRefuse: func(who vault.Actor, _ uuid.UUID) error {
			login, _, err := p.StartDeviceLogin(ctx, laptop())
			if err != nil {
				return err
			}
			return p.RefuseDeviceLogin(ctx, who, login.UserCode)
		},
		policy.WhoAmI: func(who vault.Actor, _ uuid.UUID) error {
			_, err := p.WhoAmI(ctx, who)
			return err
		},
		policy.UserList: func(who vault.Actor, _ uuid.UUID) error {
			_, _, err := p.PageOfUsers(ctx, who, vault.UserQuery{})
			return errors.Join(second(p.ListUsers(ctx, who)), err)
		},
		policy.UserCreate: func(who vault.Actor, _ uuid.UUID) error {
			_, err := p.CreateUser(ctx, who, userRequest("made"))
			return err
		},
		policy.UserConfirm: func(who vault.Actor, _ uuid.UUID) error {
			return p.ConfirmRepair(ctx, who)
		},
		policy.UserDelete: func(who vault.Actor, target uuid.UUID) error {
			return p.Service.DeleteUser(ctx, who, target)
		},
		policy.UserDeleteLater: func(who vault.Actor, target uuid.UUID) error {
			return p.Service.DeleteUserLater(ctx, who, target)
		},
		policy.UserKeep: func(who vault.Actor, target uuid.UUID) error {
			return p.Service.KeepUser(ctx, who, target)
		},
		policy.UserDisable: func(who vault.Actor, target uuid.UUID) error {
			return p.Service.DisableUser(ctx, who, target)
		},
		policy.UserEnable: func(who vault.Actor, target uuid.UUID) error {
			return p.Service.EnableUser(ctx, who, target)
		},
	}
}

// reads are the use cases that change nothing.
var reads = []policy.Action{
	policy.SecretList,
	policy.SecretGet,
	policy.VersionList,
	policy.PresetList,
	policy.LeaseList,
	policy.LeaseGet,
	policy.LeaseRequests,
	policy.UsageGet,
	policy.HealthGet,
	policy.WatchGet,
	policy.APIKeyList,
	policy.SessionList,
	policy.PasskeyList,
	policy.TrustList,
	policy.GrantList,
	policy.AuditList,
	policy.AuditListAll,
	policy.WhoAmI,
	policy.UserList,
	policy.APIKeyListAll,
	policy.FleetGet,
	policy.UsageListAll,
}

// operators are what is done at the machine itself, on nobody's behalf.
var operators = []policy.Action{
	policy.RootKeyAdd,
	policy.RootKeyRewrap,
	policy.RootKeyRetire,
	policy.OwnerKeyRotate,
	policy.OwnerKeyDestroy,
	policy.InstanceCreate,
	policy.TamperingFound,
	policy.BackupCreate,
	policy.BackupRestore,
	policy.UserRestore,
	policy.UserRepair,
	policy.AuditCheckpoint,
	policy.FloorsReset,
	policy.AuditCut,
	policy.LockdownBegin,
	policy.LockdownLift,
	policy.InstanceKeyAdd,
	policy.InstanceKeyRotate,
	policy.InstanceKeyDestroy,
}

// tickets are what is done by a ticket, a placeholder, a token, a link or a passkey, of which no
// actor is known before. Acting for another comes before a use case, as those do.
var tickets = []policy.Action{
	policy.UserActFor,
	policy.LeaseRedeem, policy.LeaseDispute, policy.LeaseUse, policy.SessionCreate,
	policy.SessionConfirm, policy.PasskeyDispute, policy.TrustExchange, policy.DeviceLogin,
	policy.SessionShutOut,
}

func trustRequest() vault.TrustRequest {
	return vault.TrustRequest{
		Name: keyName("rule"), Issuer: "https://issuer.example.org", Audience: audience,
		Claims: []vault.Claim{{Name: "sub", Value: "job"}}, Scopes: []string{"secrets:read"},
	}
}

func TestEveryActionOfThePolicyIsAUseCase(t *testing.T) {
	p := start(t)
	text, err := os.ReadFile("../policy/policy.go")
	p.must(err)
	var declared []policy.Action
	pattern := regexp.MustCompile(`Action += "([^"]+)"`)
	for _, m := range pattern.FindAllStringSubmatch(string(text), -1) {
		declared = append(declared, policy.Action(m[1]))
	}
	declared = slices.DeleteFunc(declared, func(a policy.Action) bool {
		return slices.Contains(operators, a) || slices.Contains(tickets, a)
	})
	slices.Sort(declared)
	if diff := cmp.Diff(declared, slices.Sorted(maps.Keys(p.useCases()))); diff != "" {
		t.Errorf("actions (-declared +here):\n%s", diff)
	}
}
