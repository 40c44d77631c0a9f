package policy_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/keysake/keysake/internal/policy"
)

// allowed is the whole policy: which scopes, each alone, allow which action. Where it says anyone,
// no scope is needed.
var allowed = map[policy.Action][]policy.Scope{
	policy.SecretList:       {policy.SecretsRead},
	policy.SecretGet:        {policy.SecretsRead},
	policy.PresetList:       {policy.SecretsRead},
	policy.SecretCreate:     {policy.SecretsWrite},
	policy.SecretUpdate:     {policy.SecretsWrite},
	policy.SecretDelete:     {policy.SecretsWrite},
	policy.VersionList:      {policy.SecretsRead},
	policy.SecretRename:     {policy.SecretsWrite},
	policy.SecretDeadline:   {policy.SecretsWrite},
	policy.SecretImport:     {policy.SecretsWrite},
	policy.SecretRollback:   {policy.SecretsWrite},
	policy.LeaseCreate:      {policy.LeasesWrite},
	policy.LeaseRevoke:      {policy.LeasesWrite},
	policy.LeaseList:        {policy.SecretsRead},
	policy.LeaseGet:         {policy.SecretsRead},
	policy.UsageGet:         {policy.SecretsRead},
	policy.HealthGet:        {policy.SecretsRead},
	policy.SecretProbe:      {policy.LeasesWrite},
	policy.WatchGet:         {policy.SecretsRead},
	policy.WatchSet:         {policy.LeasesWrite},
	policy.LeaseRedeem:      anyone,
	policy.LeaseUse:         anyone,
	policy.LeaseRequests:    {policy.SecretsRead},
	policy.LeaseDispute:     nil,
	policy.APIKeyCreate:     {policy.KeysWrite},
	policy.APIKeyList:       {policy.KeysWrite},
	policy.APIKeyRevoke:     {policy.KeysWrite},
	policy.APIKeyRevokeOnly: {policy.KeysWrite},
	policy.APIKeyCreateFor:  {policy.Admin},
	policy.SessionCreate:    anyone,
	policy.SessionConfirm:   anyone,
	policy.PasskeyAdd:       {policy.KeysWrite},
	policy.PasskeyList:      anyone,
	policy.PasskeyRemove:    {policy.KeysWrite},
	policy.PasskeyDispute:   nil,
	policy.SessionList:      {policy.KeysWrite},
	policy.SessionEnd:       {policy.KeysWrite},
	policy.SessionShutOut:   anyone,
	policy.SignInLinkCreate: {policy.Admin},
	policy.SignInLinkOwn:    {policy.KeysWrite},
	policy.IdentityLink:     {policy.Admin},
	policy.IdentityUnlink:   {policy.Admin},
	policy.TrustAdd:         {policy.KeysWrite},
	policy.GrantAdd:         {policy.KeysWrite},
	policy.GrantList:        {policy.KeysWrite},
	policy.GrantRemove:      {policy.KeysWrite},
	policy.UserActFor:       {policy.ActUser},
	policy.TrustList:        {policy.KeysWrite},
	policy.TrustRemove:      {policy.KeysWrite},
	policy.TrustExchange:    anyone,
	policy.DeviceConfirm:    {policy.KeysWrite},
	policy.DeviceRefuse:     {policy.KeysWrite},
	policy.DeviceLogin:      anyone,
	policy.UserList:         {policy.Admin},
	policy.UserCreate:       {policy.Admin},
	policy.UserDelete:       {policy.Admin},
	policy.UserDeleteLater:  {policy.Admin},
	policy.UserKeep:         {policy.Admin},
	policy.UserDisable:      {policy.Admin},
	policy.UserEnable:       {policy.Admin},
	policy.UserConfirm:      {policy.SecretsWrite},
	policy.APIKeyListAll:    {policy.Admin},
	policy.FleetGet:         {policy.Admin},
	policy.UsageListAll:     {policy.Admin},
	policy.LibraryStop:      anyone, // of what each of its parts allows
	policy.AuditList:        {policy.AuditRead},
	policy.AuditListAll:     {policy.Admin},
	policy.WhoAmI:           anyone,
	policy.APIKeyRevokeSelf: anyone,
	policy.RootKeyAdd:       nil, // the operator's, at the machine itself
	policy.RootKeyRewrap:    nil,
	policy.RootKeyRetire:    nil,
	policy.OwnerKeyRotate:   nil,
	policy.BackupCreate:     nil,
	policy.BackupRestore:    nil,
	policy.UserRestore:      nil,
	policy.UserRepair:       nil,
	policy.TamperingFound:   nil,
	policy.OwnerKeyDestroy:  nil,
	policy.InstanceCreate:   nil,
	policy.AuditCheckpoint:  nil,
	policy.AuditCut:         nil,
	policy.FloorsReset:      nil,
	policy.LockdownBegin:    nil,
	policy.LockdownLift:     nil,

	policy.InstanceKeyAdd:     nil,
	policy.InstanceKeyRotate:  nil,
	policy.InstanceKeyDestroy: nil,
}

var anyone = policy.AllScopes()

func TestEachScopeAllowsWhatTheTableSaysAndNothingElse(t *testing.T) {
	for action, scopes := range allowed {
		for _, scope := range policy.AllScopes() {
			got, want := policy.Allow([]policy.Scope{scope}, action), slices.Contains(scopes, scope)
			if got != want {
				t.Errorf("%s with %s alone: allowed is %v", action, scope, got)
			}
		}
	}
}

func TestWithoutScopesOnlyActionsThatNeedNoneAreAllowed(t *testing.T) {
	for action, scopes := range allowed {
		for _, none := range [][]policy.Scope{nil, {}} {
			if got, want := policy.Allow(none, action), len(scopes) == len(anyone); got != want {
				t.Errorf("%s: allowed is %v", action, got)
			}
		}
	}
}

func TestAnUnknownScopeAllowsNothing(t *testing.T) {
	odd := []policy.Scope{
		"",
		"*",
		"secrets",
		"secrets:",
		"secrets:*",
		"secrets:READ",
		" secrets:read",
		"Admin",
		"administrator",
		"secrets:read secrets:write",
	}
	for action, scopes := range allowed {
		if len(scopes) < len(anyone) && policy.Allow(odd, action) {
			t.Errorf("%s is allowed", action)
		}
	}
	for _, scope := range odd {
		if policy.Known(scope) {
			t.Errorf("%q passes for a scope", scope)
		}
	}
}

func TestNoScopeAllowsAnUnknownAction(t *testing.T) {
	for _, action := range []policy.Action{
		"", "secret", "secret.", "secret.*", "Secret.Get", "secret.get ", "user.who-am-i.more",
		"anything",
	} {
		if policy.Allow(policy.AllScopes(), action) {
			t.Errorf("%q is allowed", action)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		action := policy.Action(rapid.String().Draw(t, "action"))
		if _, known := allowed[action]; !known && policy.Allow(policy.AllScopes(), action) {
			t.Errorf("%q is allowed", action)
		}
	})
}

func TestMoreScopesNeverAllowLess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		held := rapid.SliceOfDistinct(rapid.SampledFrom(policy.AllScopes()), rapid.ID).
			Draw(t, "held")
		action := rapid.SampledFrom(actions()).Draw(t, "action")
		want := len(allowed[action]) == len(anyone) ||
			slices.ContainsFunc(held, func(s policy.Scope) bool {
				return slices.Contains(allowed[action], s)
			})
		if got := policy.Allow(held, action); got != want {
			t.Errorf("%s with %v: allowed is %v", action, held, got)
		}
	})
}

func actions() []policy.Action {
	all := make([]policy.Action, 0, len(allowed))
	for action := range allowed {
		all = append(all, action)
	}
	slices.Sort(all)
	return all
}

func TestTheTableHasEveryActionAndNoOther(t *testing.T) {
	var listed []string
	for _, action := range actions() {
		listed = append(listed, string(action))
	}
	declared := constants(t, "Action")
	if diff := cmp.Diff(declared, listed); diff != "" {
		t.Errorf("actions (-declared +in the table):\n%s", diff)
	}
}

func TestAllScopesAreAll(t *testing.T) {
	var listed []string
	for _, scope := range policy.AllScopes() {
		listed = append(listed, string(scope))
		if !policy.Known(scope) {
			t.Errorf("%s is not known", scope)
		}
	}
	slices.Sort(listed)
	// anyone
	declared := slices.DeleteFunc(constants(t, "Scope"), func(s string) bool { return s == "" })
	if diff := cmp.Diff(declared, listed); diff != "" {
		t.Errorf("scopes (-declared +listed):\n%s", diff)
	}
}

// constants returns the values of the constants of a type, in order: a new one is seen here,
// whether or not a test knows it.
func constants(t *testing.T, typeName string) (values []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "policy.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); !ok || name.Name != typeName {
			return true
		}
		for _, v := range spec.Values {
			literal, ok := v.(*ast.BasicLit)
			if !ok {
				t.Fatalf("a %s that is no literal", typeName)
			}
			value, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, value)
		}
		return true
	})
	if len(values) == 0 {
		t.Fatalf("there is no constant of the type %s", typeName)
	}
	slices.Sort(values)
	return values
}

func TestTheScopesOfAUserAreAllThatConcernNoOther(t *testing.T) {
	all := append(policy.UserScopes(), policy.Admin, policy.ActUser)
	if diff := cmp.Diff(all, policy.AllScopes()); diff != "" {
		t.Error(diff)
	}
	for _, scope := range []policy.Scope{policy.Admin, policy.ActUser} {
		if slices.Contains(policy.UserScopes(), scope) {
			t.Errorf("%s is a user's", scope)
		}
	}
}

func TestWhoActsForAnotherDoesOnlyWhatAGrantCanAllow(t *testing.T) {
	var got []string
	for _, text := range constants(t, "Action") {
		action := policy.Action(text)
		if !policy.ForAnother(action) {
			continue
		}
		got = append(got, text)
		if !policy.Allow(policy.GrantScopes(), action) {
			t.Errorf("%s needs a scope that no grant gives", action)
		}
	}
	want := []string{
		"lease.create", "lease.get", "lease.list", "lease.revoke", "preset.list", "secret.get",
		"secret.list",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAKeyIsNotGivenUnaskedWhatMakesKeys(t *testing.T) {
	got := append(policy.DefaultScopes(), policy.KeysWrite, policy.Admin, policy.ActUser)
	slices.Sort(got)
	want := policy.AllScopes()
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheListsOfScopesAreTheCallersOwn(t *testing.T) {
	clear(policy.DefaultScopes())
	clear(policy.UserScopes())
	clear(policy.AllScopes())
	if !policy.Known(policy.SecretsRead) || !policy.Known(policy.Admin) {
		t.Error("a caller changed them for everybody")
	}
}

func TestMissingNamesTheScopesThatAreNotHeld(t *testing.T) {
	read, write, admin := policy.SecretsRead, policy.SecretsWrite, policy.Admin
	for _, row := range []struct{ wanted, held, over []policy.Scope }{
		{nil, nil, nil},
		{nil, policy.AllScopes(), nil},
		{[]policy.Scope{read}, []policy.Scope{read}, nil},
		{[]policy.Scope{read, write}, []policy.Scope{write, read, admin}, nil},
		{[]policy.Scope{read, write, admin}, []policy.Scope{write}, []policy.Scope{read, admin}},
		{[]policy.Scope{read}, nil, []policy.Scope{read}},
		{[]policy.Scope{admin}, policy.UserScopes(), []policy.Scope{admin}},
		{[]policy.Scope{"unheard-of"}, policy.AllScopes(), []policy.Scope{"unheard-of"}},
	} {
		if diff := cmp.Diff(row.over, policy.Missing(row.wanted, row.held)); diff != "" {
			t.Errorf("wanted %v, held %v (-want +got):\n%s", row.wanted, row.held, diff)
		}
	}
}
