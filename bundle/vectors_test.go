package bundle_test

import (
	"crypto/fips140"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"
	"testing/cryptotest"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/bundle"
)

const vectorFile = "testdata/vectors.json"

// go test ./bundle -run Vectors -update writes the file again. Only new cases may change it.
var update = flag.Bool("update", false, "write the test vectors")

// A group has the vectors of one key.
type group struct {
	Suite     string   `json:"suite"`
	Private   string   `json:"private"` // in hexadecimal
	Recipient string   `json:"recipient"`
	Vectors   []vector `json:"vectors"`
	Requests  []sealed `json:"requests"`
}

// A sealed is an attempt to open a sealed request.
type sealed struct {
	About      string  `json:"about"`
	Server     string  `json:"server"` // in hexadecimal
	Method     string  `json:"method"`
	Target     string  `json:"target"`
	Credential string  `json:"credential"` // the API key itself
	Info       string  `json:"info"`       // in hexadecimal
	Sealed     []byte  `json:"sealed"`
	Body       *string `json:"body"` // null: it must not open
}

// A vector is an attempt to open a bundle.
type vector struct {
	About   string  `json:"about"`
	Server  string  `json:"server"` // in hexadecimal, as the next two
	Lease   string  `json:"lease"`
	Info    string  `json:"info"`
	Purpose string  `json:"purpose"`
	Sealed  []byte  `json:"sealed"`
	Payload *string `json:"payload"` // null: it must not open
}

func readVectors(tb testing.TB) (all []group) {
	tb.Helper()
	text, err := os.ReadFile(vectorFile)
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil || len(all) == 0 {
		tb.Fatalf("%d groups: %v", len(all), err)
	}
	return all
}

// usable returns the vectors of suites that this process may use.
func usable(tb testing.TB) (some []group) {
	tb.Helper()
	for _, g := range readVectors(tb) {
		if g.Suite == bundle.XWing.String() || !fips140.Enforced() {
			some = append(some, g)
		}
	}
	return some
}

func (g group) key(tb testing.TB) *bundle.Key {
	tb.Helper()
	suite := bundle.XWing
	if g.Suite == bundle.X25519.String() {
		suite = bundle.X25519
	}
	k, err := bundle.OwnKey(suite, unhex(tb, g.Private))
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func (v vector) binding(tb testing.TB) bundle.Binding {
	tb.Helper()
	return bundle.Binding{
		Server: [16]byte(unhex(tb, v.Server)), Lease: [16]byte(unhex(tb, v.Lease)),
		Purpose: v.Purpose,
	}
}

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestTheVectorsOpenAsTheySay(t *testing.T) {
	for _, g := range usable(t) {
		k := g.key(t)
		if k.Recipient().String() != g.Recipient {
			t.Errorf("%s: another recipient", g.Suite)
		}
		for _, v := range g.Vectors {
			t.Run(g.Suite+" "+v.About, func(t *testing.T) { v.check(t, k) })
		}
		for _, v := range g.Requests {
			t.Run(g.Suite+" request "+v.About, func(t *testing.T) { v.check(t, k) })
		}
	}
}

func (v vector) check(t *testing.T, k *bundle.Key) {
	t.Helper()
	b := v.binding(t)
	if hex.EncodeToString(bundle.Info(b, k.Recipient())) != v.Info {
		t.Error("another info")
	}
	got, err := bundle.Open(k, b, v.Sealed)
	if v.Payload == nil {
		if !errors.Is(err, bundle.ErrOpen) {
			t.Error(err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	again, err := bundle.Marshal(got, b.Lease)
	if err != nil || string(again) != *v.Payload {
		t.Errorf("another payload: %v", err)
	}
}

func TestTheVectorsAreMadeAsTheSourceSays(t *testing.T) {
	if fips140.Enforced() {
		t.Skip("one suite is not approved, and no randomness may be replaced")
	}
	var made []group
	for i, suite := range []bundle.Suite{bundle.XWing, bundle.X25519} {
		cryptotest.SetGlobalRandom(t, uint64(i))
		made = append(made, makeVectors(t, suite))
	}
	if *update {
		text, err := json.MarshalIndent(made, "", " ")
		if err == nil {
			err = os.WriteFile(vectorFile, append(text, '\n'), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(readVectors(t), made); diff != "" {
		t.Errorf("go test ./bundle -run Vectors -update: %s", diff)
	}
}

// makeVectors returns the vectors of a suite. The bytes of its key count upwards.
func makeVectors(t *testing.T, suite bundle.Suite) group {
	t.Helper()
	bits := make([]byte, bundle.KeySize)
	for i := range bits {
		bits[i] = byte(i)
	}
	k, err := bundle.OwnKey(suite, bits)
	if err != nil {
		t.Fatal(err)
	}
	g := group{
		Suite: suite.String(), Private: hex.EncodeToString(bits), Recipient: k.Recipient().String(),
	}
	add := func(about string, b bundle.Binding, sealed []byte, payload *string) {
		g.Vectors = append(g.Vectors, vector{
			About: about, Server: hex.EncodeToString(b.Server[:]),
			Lease: hex.EncodeToString(b.Lease[:]), Purpose: b.Purpose,
			Info:   hex.EncodeToString(bundle.Info(b, k.Recipient())),
			Sealed: append([]byte{}, sealed...), Payload: payload,
		})
	}
	opens := func(about string, p bundle.Payload) []byte {
		text, err := bundle.Marshal(p, somewhere.Lease)
		if err != nil {
			t.Fatal(err)
		}
		payload, sealed := string(text), mustSeal(t, k.Recipient(), p)
		add(about, somewhere, sealed, &payload)
		return sealed
	}
	sealed := opens("one value", payload("SOME_TOKEN", "not-a-real-secret"))
	opens("an empty value", payload("SOME_TOKEN", ""))
	opens("sorted by name", payload("b", "2", "_", "1", "B", "0", "B1", "3"))
	opens("escapes and characters of two, three and four bytes",
		payload("SOME_TOKEN", "\"\\\b\f\n\r\t\x00\x1f\x7f/<>&\u00e9\u2028\u65e5\U0001f600"))
	moved := somewhere
	moved.Lease[0] = 1
	add("of another lease", moved, sealed, nil)
	moved = somewhere
	moved.Server[0] = 1
	add("of another server", moved, sealed, nil)
	moved = somewhere
	moved.Purpose = "file"
	add("for another purpose", moved, sealed, nil)
	for _, i := range []int{0, 1, 2, 4, 6, 7, len(sealed) - 17, len(sealed) - 1} {
		damaged := append([]byte{}, sealed...)
		damaged[i] ^= 1
		add(fmt.Sprintf("a bit of byte %d is flipped", i), somewhere, damaged, nil)
	}
	add("one byte is missing", somewhere, sealed[:len(sealed)-1], nil)
	add("only a header", somewhere, sealed[:7], nil)
	add("nothing", somewhere, nil, nil)
	for _, o := range odd {
		add(o.about, somewhere, mustSealText(t, k.Recipient(), o.text), nil)
	}
	g.Requests = makeRequests(t, k)
	return g
}
