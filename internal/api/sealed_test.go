package api_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/keysake/keysake/bundle"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

const sealingKeyPath = "/api/v1/sealing-key"

// A sealer seals bodies as a client does.
type sealer struct {
	key    wire.SealingKey
	to     bundle.Recipient
	server uuid.UUID
}

func (s *site) sealer(t *testing.T) sealer {
	t.Helper()
	key := into[wire.SealingKey](t, s.do(t, get(sealingKeyPath, noKey)).want(t, 200))
	to, err := bundle.ParseRecipient(key.Recipient)
	if err != nil {
		t.Fatal(err)
	}
	return sealer{key, to, uuid.MustParse(key.Server)}
}

// bytes seals the body of a call.
func (s sealer) bytes(t *testing.T, c call) []byte {
	t.Helper()
	sealed, err := bundle.SealRequest(s.to, bundle.Request{
		Server: s.server, Method: c.method, Target: c.path,
		Credential: sha256.Sum256(c.key.Reveal()),
	}, []byte(c.body))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// seal returns a call with its body sealed.
func (s sealer) seal(t *testing.T, c call) call {
	t.Helper()
	return s.put(c, s.bytes(t, c))
}

// put returns a call with these bytes as its sealed body.
func (s sealer) put(c call, sealed []byte) call {
	c.body = `{"sealed": "` + base64.StdEncoding.EncodeToString(sealed) + `"}`
	return c.with("Content-Type", "application/keysake-sealed+json; key="+s.key.ID)
}

const doesNotOpen = "body.sealed value_error"

func TestEveryOperationWithABodyTakesItSealed(t *testing.T) {
	t.Parallel()
	s := start(t)
	by := s.sealer(t)
	for _, op := range operations(t) {
		if op.Sealed != op.HasBody {
			t.Errorf("%s: the contract does not say that the body may be sealed", op.ID)
		}
		for _, example := range op.Examples {
			at := s.target(t, op)
			got := s.do(t, by.seal(t, at.call(op, string(example.Body))))
			if got.status != op.Success {
				t.Errorf("%s, example %s: answered %d, want %d: %v",
					op.ID, example.Name, got.status, op.Success, got.faults(t))
			}
		}
	}
}

func TestASealedBodyIsOfNoUseInAnotherRequest(t *testing.T) {
	t.Parallel()
	s := start(t)
	by, me, other := s.sealer(t), s.person(t), s.person(t)
	id := s.secret(t, me.key, "OLD", "any-value")
	create := post(secretsPath, me.key, custom)
	sealed := by.bytes(t, create)
	second := s.keyFor(t, me.id, members{})
	for what, c := range map[string]call{
		"another path":   post(presetPath, me.key, ""),
		"another method": put(secretsPath+"/"+id, me.key, ""),
		"a query":        post(secretsPath+"?a=b", me.key, ""),
		"another user":   post(secretsPath, other.key, ""),
		"another key":    post(secretsPath, second, ""),
	} {
		got := s.do(t, by.put(c, sealed))
		if got.status != 422 || !slices.Equal(got.faults(t), []string{doesNotOpen}) {
			t.Errorf("%s: a %d for %v", what, got.status, got.faults(t))
		}
	}
	got := s.do(t, by.put(create, sealed).with("Content-Type",
		"application/keysake-sealed+json; key="+by.key.Others[0].ID))
	got.refused(t, 422, doesNotOpen)
	if n := len(s.names(t, me.key)) + len(s.names(t, other.key)); n != 1 {
		t.Errorf("there are %d secrets", n)
	}
	s.do(t, by.put(create, sealed)).want(t, 201)
}

// names returns the names of a person's secrets.
func (s *site) names(t *testing.T, key plaintext.Value) (names []string) {
	t.Helper()
	list := into[wire.SecretList](t, s.do(t, get(secretsPath, key)).want(t, 200))
	for _, secret := range list.Secrets {
		names = append(names, secret.Name)
	}
	return names
}

func TestASealedRequestThatComesAgainChangesNothing(t *testing.T) {
	t.Parallel()
	s := start(t)
	by := s.sealer(t)
	for _, op := range operations(t) {
		if !op.HasBody {
			continue
		}
		at := s.target(t, op)
		example := op.Examples[len(op.Examples)-1]
		c := by.seal(t, at.call(op, string(example.Body)))
		first := s.do(t, c).want(t, op.Success)
		before := s.library(t, at.key)
		again := s.do(t, c)
		if again.status != op.Success && again.status != http.StatusConflict {
			t.Errorf("%s: answered %d", op.ID, again.status)
		}
		if again.status == op.Success && string(again.body) != string(first.body) {
			t.Errorf("%s: another answer", op.ID)
		}
		if diff := cmp.Diff(before, s.library(t, at.key)); diff != "" {
			t.Errorf("%s: it changed something:\n%s", op.ID, diff)
		}
	}
}

// It may be the second try of a program that lost the answer.
func TestASealedRedemptionThatComesAgainIsNoDispute(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t)
	made := s.lease(t, me.key)
	redeem := post("/api/v1/leases/redeem", plaintext.FromString(made.Ticket),
		encode(t, members{"recipient": bundleKey(t).Recipient().String()}))
	by := s.sealer(t)
	sealed := by.seal(t, redeem)
	s.do(t, sealed).want(t, 200)
	wantState := func(want string) {
		t.Helper()
		lease := into[wire.Lease](t, s.do(t, get(leasesPath+"/"+made.ID, me.key)).want(t, 200))
		if lease.State != want {
			t.Errorf("the lease is %s, want %s", lease.State, want)
		}
	}
	s.do(t, sealed).want(t, 409)
	wantState(wire.LeaseRedeemed)
	s.do(t, by.seal(t, redeem)).want(t, 409)
	wantState(wire.LeaseDisputed)
}

func TestASealedCreateDoesNotBringBackWhatWasDeleted(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t)
	create := s.sealer(t).seal(t, post(secretsPath, me.key, custom))
	made := into[wire.Secret](t, s.do(t, create).want(t, 201))
	s.do(t, del(secretsPath+"/"+made.ID, me.key)).want(t, 204)
	s.do(t, create).want(t, 409)
	if names := s.names(t, me.key); len(names) > 0 {
		t.Errorf("there is %v", names)
	}
}

func TestAChangedSealedBodyDoesNotOpen(t *testing.T) {
	t.Parallel()
	s := start(t)
	by, me := s.sealer(t), s.person(t)
	create := post(secretsPath, me.key, custom)
	whole, other := by.bytes(t, create), by.bytes(t, create)
	const head = 7 + 1120
	flipped := slices.Clone(whole)
	flipped[len(flipped)-1] ^= 1
	for what, sealed := range map[string][]byte{
		"nothing": nil, "a byte": {1}, "cut": whole[:len(whole)-1], "only a key": whole[:head],
		"half a key": whole[:head/2], "a bit": flipped, "longer": append(slices.Clone(whole), 0),
		"another one's enc": slices.Concat(other[:head], whole[head:]),
		"another version":   append([]byte{2}, whole[1:]...),
		"another suite":     append([]byte{1, 0, 0x20}, whole[3:]...),
	} {
		got := s.do(t, by.put(create, sealed))
		if got.status != 422 || !slices.Equal(got.faults(t), []string{doesNotOpen}) {
			t.Errorf("%s: a %d for %v", what, got.status, got.faults(t))
		}
	}
	if names := s.names(t, me.key); len(names) > 0 {
		t.Errorf("there is %v", names)
	}
}

func TestWhatIsAroundASealedBodyIsReadStrictly(t *testing.T) {
	t.Parallel()
	s := start(t)
	by, me := s.sealer(t), s.person(t)
	good := by.seal(t, post(secretsPath, me.key, custom))
	const media = "application/keysake-sealed+json"
	unknown := "header.Content-Type sealing_key"
	for what, c := range map[string]struct {
		media, body string
		status      int
		fault       string
	}{
		"no key":            {media, good.body, 422, unknown},
		"an unknown key":    {media + "; key=AAAAAAAAAAAAAAAA", good.body, 422, unknown},
		"an empty key":      {media + `; key=""`, good.body, 422, unknown},
		"two parameters":    {media + "; key=a; charset=utf-8", good.body, 415, ""},
		"a broken type":     {media + "; key", good.body, 415, ""},
		"two types":         {media + "; key=a, text/plain", good.body, 415, ""},
		"no JSON":           {"", "{", 400, "body json_invalid"},
		"a list":            {"", "[]", 422, "body model_attributes_type"},
		"no member":         {"", "{}", 422, "body.sealed missing"},
		"another member":    {"", `{"value": "x", "sealed": ""}`, 422, "body.value extra_forbidden"},
		"a number":          {"", `{"sealed": 1}`, 422, "body.sealed string_type"},
		"no base64":         {"", `{"sealed": "?"}`, 422, doesNotOpen},
		"base64 of the URL": {"", `{"sealed": "__8="}`, 422, doesNotOpen},
		"no padding":        {"", `{"sealed": "AA"}`, 422, doesNotOpen},
		"a plain body":      {"", custom, 422, "body.name extra_forbidden"},
	} {
		if c.media == "" {
			c.media = good.header.Get("Content-Type")
		}
		got := s.do(t, post(secretsPath, me.key, c.body).with("Content-Type", c.media))
		faults := got.faults(t)
		if got.status != c.status || c.fault != "" && !slices.Contains(faults, c.fault) {
			t.Errorf("%s: a %d for %v, want %d for %s", what, got.status, faults, c.status, c.fault)
		}
	}
	encoded := good
	encoded.header = good.header.Clone()
	encoded.header.Set("Content-Encoding", "gzip")
	s.do(t, encoded).want(t, 415)
	s.do(t, good.with("Content-Type", strings.ToUpper(media)+";key="+by.key.ID)).want(t, 201)
}

func TestTheContentOfASealedBodyIsReadAsIfItWerePlain(t *testing.T) {
	t.Parallel()
	s := start(t)
	by, me := s.sealer(t), s.person(t)
	for _, body := range []string{
		"", "{", "[]", `{"value": ""}`, `{"name": "A", "value": "x", "a": 1}`,
		`{"name": "PATH", "value": "x"}`, `{"name": "A", "name": "A", "value": "x"}`,
	} {
		plain := post(secretsPath, me.key, body)
		sameBut(t, body, s.do(t, plain), s.do(t, by.seal(t, plain)))
	}
	s.do(t, by.seal(t, get(secretsPath, me.key))).want(t, 200)
}

func TestASealedBodyMayHoldWhatAPlainOneMay(t *testing.T) {
	t.Parallel()
	s := start(t)
	by, me := s.sealer(t), s.person(t)
	const most = 256 << 10
	padded := func(size int) call {
		space := strings.Repeat(" ", size-len(custom))
		return post(secretsPath, me.key, custom[:1]+space+custom[1:])
	}
	s.do(t, by.seal(t, padded(most))).want(t, 201)
	s.do(t, by.seal(t, padded(most+1))).refused(t, 413)
	s.do(t, by.seal(t, padded(2*most))).refused(t, 413)
	huge := post(secretsPath, me.key, strings.Repeat("a", most*3/2))
	s.do(t, huge.with("Content-Type", "application/keysake-sealed+json; key=a")).refused(t, 413)
	chunked := by.seal(t, padded(2*most))
	chunked.chunked = true
	s.do(t, chunked).refused(t, 413)
	s.do(t, padded(most+1)).refused(t, 413)
}

func TestASealedRequestNeedsAKeyLikeAnyOther(t *testing.T) {
	t.Parallel()
	s := start(t)
	by, reader := s.sealer(t), s.person(t, "secrets:read")
	s.do(t, by.seal(t, post(secretsPath, noKey, custom))).want(t, http.StatusUnauthorized)
	s.do(t, by.seal(t, post(secretsPath, reader.key, custom))).want(t, http.StatusForbidden)
}

func TestAServerForPostQuantumKeysAloneHasNoOther(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *config.Config) { c.PostQuantumOnly = true })
	by, me := s.sealer(t), s.person(t)
	if len(by.key.Others) > 0 || !by.to.Suite().PostQuantum() {
		t.Errorf("there are %d others", len(by.key.Others))
	}
	s.do(t, by.seal(t, post(secretsPath, me.key, custom))).want(t, 201)
}
