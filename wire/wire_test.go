package wire_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestATimeIsWrittenInUTCWithAZAndNoMoreDigitsThanItHas(t *testing.T) {
	plus2 := time.FixedZone("", 2*60*60)
	for want, at := range map[string]time.Time{
		`"2026-04-15T12:00:00Z"`:        time.Date(2026, 4, 15, 12, 0, 0, 0, time.UTC),
		`"2026-04-15T10:00:00Z"`:        time.Date(2026, 4, 15, 12, 0, 0, 0, plus2),
		`"2026-12-31T23:00:00Z"`:        time.Date(2027, 1, 1, 1, 0, 0, 0, plus2),
		`"2026-05-02T17:45:12.250318Z"`: time.Date(2026, 5, 2, 17, 45, 12, 250318999, time.UTC),
		`"2026-05-02T17:45:12.25Z"`:     time.Date(2026, 5, 2, 17, 45, 12, 250000000, time.UTC),
		`"2026-05-02T17:45:12.000001Z"`: time.Date(2026, 5, 2, 17, 45, 12, 1000, time.UTC),
		`"2026-05-02T17:45:13Z"`:        time.Date(2026, 5, 2, 17, 45, 13, 999, time.UTC),
		`"9999-12-31T23:59:59.999999Z"`: time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
	} {
		for _, body := range []string{
			asJSON(t, wire.At(at)), asJSON(t, wire.Time{Time: at}), asJSON(t, wire.AtOrNull(at)),
		} {
			if body != want {
				t.Errorf("%s is written as %s", want, body)
			}
		}
		var back wire.Time
		if err := json.Unmarshal([]byte(want), &back); err != nil ||
			!back.Equal(at.Truncate(time.Microsecond)) {
			t.Errorf("%s is read back as %v: %v", want, back, err)
		}
	}
}

func TestAMomentThatHasNotComeIsNull(t *testing.T) {
	if body := asJSON(
		t, struct{ At *wire.Time }{wire.AtOrNull(time.Time{})},
	); body != `{"At":null}` {
		t.Errorf("written as %s", body)
	}
}

func TestTheBodiesAreThoseOfTheContractFieldForField(t *testing.T) {
	at := wire.At(time.Date(2026, 4, 15, 12, 0, 0, 0, time.UTC))
	openai := "openai"
	const id = "2489e9ad-2ee2-4e00-8ec9-32d5f69181c0"
	for want, body := range map[string]any{
		`{"id":"` + id + `","name":"OPENAI_API_KEY","provider":"openai",` +
			`"masked_value":"sk-pro••••789","created_at":"2026-04-15T12:00:00Z",` +
			`"updated_at":"2026-04-15T12:00:00Z"}`: wire.Secret{
			ID: id, Name: "OPENAI_API_KEY", Provider: &openai, MaskedValue: "sk-pro••••789",
			CreatedAt: at, UpdatedAt: at,
		},
		`{"secrets":[],"total":0}`: wire.SecretList{Secrets: []wire.Secret{}},
		`{"presets":[{"provider":"openai","env_var_name":"A","configured":true,"category":"c",` +
			`"aliases":["B"],"probe":true,"broker":false}]}`: wire.PresetList{
			Presets: []wire.Preset{{
				Provider: "openai", EnvVarName: "A", Configured: true, Category: "c",
				Aliases: []string{"B"}, Probe: true,
			}},
		},
		`{"id":"` + id + `","email_address":"","username":"ada","full_name":"",` +
			`"is_platform_admin":false,"limits":{"secrets":{"used":4,"max":200}}}`: wire.User{
			ID: id, Username: "ada", Limits: wire.Limits{Secrets: wire.Quota{Used: 4, Max: 200}},
		},
		`{"id":"","email_address":"","username":"","full_name":"","is_platform_admin":false,` +
			`"limits":{"secrets":{"used":0,"max":0}},"disabled":true}`: wire.User{Disabled: true},
		`{"id":"` + id + `","parent_id":null,"masked_key":"••••","active":true,"name":"","allowed_scopes":[],` +
			`"created_at":"2026-04-15T12:00:00Z","last_used_at":null,"expires_at":null}`: wire.APIKey{
			ID: id, MaskedKey: "••••", Active: true, AllowedScopes: []string{}, CreatedAt: at,
		},
		`{"id":"` + id + `","delivery":"ticket","state":"active","secrets":[{"id":"a","name":"A",` +
			`"version":null}],"run":null,"requested_by":{"id":"k","name":"","acting_user":null},` +
			`"created_at":"2026-04-15T12:00:00Z","expires_at":"2026-04-15T12:00:00Z",` +
			`"redeemed_at":null,"revoked_at":null,"disputed_at":null}`: wire.Lease{
			ID: id, Delivery: wire.DeliveryTicket, State: wire.LeaseActive,
			Secrets:     []wire.LeasedSecret{{ID: "a", Name: "A"}},
			RequestedBy: wire.Requester{ID: "k"}, CreatedAt: at, ExpiresAt: at,
		},
		`{"server":"s","lease":"l","sealed":"AQI="}`: wire.Bundle{
			Server: "s", Lease: "l", Sealed: []byte{1, 2},
		},
		`{"leases":[],"next":null}`: wire.LeaseList{Leases: []wire.Lease{}},
		`{"secret_id":"s","uses":2,"last_used_at":"2026-04-15T12:00:00Z","last_lease":{"id":"l",` +
			`"run":{"id":null,"label":null}},"live_leases":[]}`: wire.SecretUsage{
			SecretID: "s", Uses: 2, LastUsedAt: &at,
			LastLease: &wire.LastLease{ID: "l", Run: &wire.Run{}}, LiveLeases: []wire.Lease{},
		},
		`{"status":"ok"}`: wire.Health{Status: "ok"},
		`{"code":404,"detail":"Not found","type":"not_found_error"}`: wire.Problem{
			Code: 404, Detail: "Not found", Type: "not_found_error",
		},
		`{"code":422,"detail":"Validation error","type":"validation_error",` +
			`"errors":[{"loc":["body","value"],"msg":"Empty","type":"string_too_short"}]}`: wire.Problem{
			Code: 422, Detail: "Validation error", Type: "validation_error",
			Errors: []wire.FieldError{
				{Loc: []any{"body", "value"}, Msg: "Empty", Type: wire.TypeTooShort},
			},
		},
	} {
		if diff := cmp.Diff(want, asJSON(t, body)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestNoBodyWritesAValue(t *testing.T) {
	hidden := "correct-horse-battery-" + fmt.Sprint(time.Now().UnixNano())
	value := plaintext.FromString(hidden)
	for _, body := range []any{
		wire.CreateSecret{Name: "A", Value: value},
		wire.CreateFromPreset{Value: value},
		&wire.UpdateSecret{Value: value},
	} {
		if strings.Contains(asJSON(t, body), hidden) ||
			strings.Contains(fmt.Sprintf("%v %+v %#v", body, body, body), hidden) {
			t.Errorf("%T shows its value", body)
		}
	}
}

func TestATimestampIsRFC3339AndNothingElse(t *testing.T) {
	want := time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, text := range []string{
		"2099-01-01T00:00:00Z", "2099-01-01t00:00:00z", "2099-01-01T02:00:00+02:00",
		"2098-12-31T23:30:00-00:30", "2099-01-01T00:00:00.000Z",
		"2099-01-01T00:00:00.000000000Z", "2099-01-01T00:00:00-00:00",
	} {
		var got wire.Timestamp
		if err := json.Unmarshal([]byte(`"`+text+`"`), &got); err != nil || !got.Equal(want) {
			t.Errorf("%s is read as %v: %v", text, got, err)
		}
	}
	for _, body := range []string{
		`""`, `"tomorrow"`, `"2099-01-01"`, `"2099-01-01T00:00:00"`, `"2099-01-01 00:00:00Z"`,
		`"2099-01-01T0:00:00Z"`, `"2099-1-01T00:00:00Z"`,
		`"2099-01-01T00:00:00,5Z"`, `"2099-01-01T00:00:00.Z"`, `"2099-01-01T00:00Z"`,
		`"2099-01-01T24:00:00Z"`, `"2099-02-29T00:00:00Z"`,
		`"2099-13-01T00:00:00Z"`, `"2099-01-01T00:00:00+0200"`, `"2099-01-01T00:00:00+24:00"`,
		`"2099-01-01T00:00:00+02:60"`, `" 2099-01-01T00:00:00Z"`,
		`"2099-01-01T00:00:00Z\n"`, `"2099-01-01T00:00:00Z "`, `"20990101T000000Z"`,
		`"12099-01-01T00:00:00Z"`, `"-2099-01-01T00:00:00Z"`,
		`"9999-12-31T23:59:59-00:01"`, `"2099-001T00:00:00Z"`, `"4070908800"`, `4070908800`, `null`,
		`true`, `[]`, `{}`,
	} {
		var got wire.Timestamp
		if err := got.UnmarshalJSON([]byte(body)); err == nil ||
			err.Error() != wire.ErrNotTimestamp.Error() {
			t.Errorf("%s is read as %v: %v", body, got, err)
		}
	}
}
