// Package readers_test runs the readers of bundles in docs/open-a-bundle.md, in JavaScript and in
// Python, on the vectors of package bundle and on bundles that are sealed to their own keys.
package readers_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/bundle"
	"github.com/keysake/keysake/plaintext"
)

// A language is one that the page has a reader in.
type language struct {
	fence, file string
	programs    []string // of which the first that has what is needed runs the reader
	probe       []string // arguments with which a program fails that lacks it
	missing     string
	driver      string // follows the reader; reads one JSON object a line, and writes one
}

var languages = []language{
	{
		fence: "js", file: "reader.mjs", programs: []string{"node"},
		probe:   []string{"-e", "process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)"},
		missing: "Node.js 18 or newer: apt-get install nodejs, or make readers",
		driver: `
import * as readline from "node:readline";
const own = newKey();
console.log(JSON.stringify({ recipient: own.recipient }));
for await (const line of readline.createInterface({ input: process.stdin })) {
  const { private: bits, bundle } = JSON.parse(line);
  const key = !bits ? own.privateKey : crypto.createPrivateKey({ format: "der", type: "pkcs8",
    key: Buffer.concat([Buffer.from("302e020100300506032b656e04220420", "hex"),
      Buffer.from(bits, "hex")]) });
  try {
    console.log(JSON.stringify({ payload: JSON.stringify(openBundle(key, bundle)) }));
  } catch {
    console.log(JSON.stringify({ payload: null }));
  }
}
`,
	},
	{
		fence: "python", file: "reader.py", programs: []string{"python3", "/usr/bin/python3"},
		probe: []string{"-c", "import cryptography.hazmat.primitives.ciphers.aead"},
		missing: "Python 3 with cryptography: apt-get install python3-cryptography, " +
			"or make readers",
		driver: `
import sys
own, recipient = new_key()
print(json.dumps({"recipient": recipient}))
for line in sys.stdin:
    task = json.loads(line)
    bits = task["private"]
    key = X25519PrivateKey.from_private_bytes(bytes.fromhex(bits)) if bits else own
    try:
        payload = json.dumps(open_bundle(key, task["bundle"]), separators=(",", ":"),
                             ensure_ascii=False)
    except Exception:
        payload = None
    print(json.dumps({"payload": payload}))
`,
	},
}

// A task is a bundle to open; with the reader's own key if it names none.
type task struct {
	Private string     `json:"private"`
	Bundle  jsonBundle `json:"bundle"`
}

type jsonBundle struct {
	Server string `json:"server"`
	Lease  string `json:"lease"`
	Sealed string `json:"sealed"`
}

func TestTheReadersOfThePageOpenTheVectorsAndNothingElse(t *testing.T) {
	tasks, want := vectors(t)
	for _, l := range languages {
		t.Run(l.fence, func(t *testing.T) {
			got := l.start(t).open(t, tasks...)
			for i := range tasks {
				if diff := cmp.Diff(want[i].Payload, got[i]); diff != "" {
					t.Errorf("%s (-want +got):\n%s", want[i].About, diff)
				}
			}
		})
	}
}

func TestTheReadersOfThePageOpenWhatIsSealedToTheirOwnKey(t *testing.T) {
	for _, l := range languages {
		t.Run(l.fence, func(t *testing.T) {
			r := l.start(t)
			to, err := bundle.ParseRecipient(r.recipient)
			if err != nil {
				t.Fatal(err)
			}
			const value = "a\r\n\"\\é日😀\x01$HOME"
			sealed, err := bundle.Seal(to,
				bundle.Binding{Server: [16]byte{1}, Lease: [16]byte{2}, Purpose: bundle.PurposeEnv},
				bundle.Payload{ExpiresAt: time.Unix(0, 0), Secrets: []bundle.Secret{
					{Name: "A", Version: 1, Value: plaintext.FromString(value)},
				}})
			if err != nil {
				t.Fatal(err)
			}
			got := r.open(t, task{Bundle: jsonBundle{
				"01000000-0000-0000-0000-000000000000", "02000000-0000-0000-0000-000000000000",
				base64.StdEncoding.EncodeToString(sealed),
			}})
			var payload struct{ Env map[string]string }
			if got[0] == nil || json.Unmarshal([]byte(*got[0]), &payload) != nil ||
				payload.Env["A"] != value {
				t.Error("it does not open, or as something else")
			}
		})
	}
}

// A vector is one of bundle/testdata/vectors.json.
type vector struct {
	About   string
	Server  string
	Lease   string
	Purpose string
	Sealed  string
	Payload *string
}

// vectors returns the vectors of the suite that the readers have, but for those of another purpose.
func vectors(t *testing.T) (tasks []task, want []vector) {
	t.Helper()
	text, err := os.ReadFile("../../bundle/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var groups []struct {
		Suite, Private string
		Vectors        []vector
	}
	if err := json.Unmarshal(text, &groups); err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		for _, v := range g.Vectors {
			if g.Suite != bundle.X25519.String() || v.Purpose != bundle.PurposeEnv {
				continue
			}
			at := jsonBundle{uuid(v.Server), uuid(v.Lease), v.Sealed}
			tasks, want = append(tasks, task{g.Private, at}), append(want, v)
		}
	}
	if len(tasks) < 25 {
		t.Fatalf("only %d vectors", len(tasks))
	}
	return tasks, want
}

func uuid(x string) string {
	return strings.Join([]string{x[:8], x[8:12], x[12:16], x[16:20], x[20:]}, "-")
}

// A reader is a running one.
type reader struct {
	recipient string
	in        *json.Encoder
	out       *json.Decoder
}

// start runs the reader of the page.
func (l language) start(t *testing.T) reader {
	t.Helper()
	program := slices.IndexFunc(l.programs, func(program string) bool {
		return exec.Command(program, l.probe...).Run() == nil
	})
	if program < 0 {
		t.Fatalf("this test needs %s", l.missing)
	}
	page, err := os.ReadFile("../../docs/open-a-bundle.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?ms)^```"+l.fence+"\n(.*?)^```$").FindAllSubmatch(page, -1)
	if len(found) != 1 {
		t.Fatalf("the page has %d readers in %s", len(found), l.fence)
	}
	file := filepath.Join(t.TempDir(), l.file)
	if err := os.WriteFile(file, append(found[0][1], l.driver...), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(l.programs[program], file) // until its input ends
	cmd.Env = append(os.Environ(), "PYTHONUNBUFFERED=1", "PYTHONUTF8=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil || inErr != nil || outErr != nil {
		t.Fatal(err, inErr, outErr)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v\n%s", err, &stderr)
		}
	})
	r := reader{in: json.NewEncoder(in), out: json.NewDecoder(out)}
	var hello struct{ Recipient string }
	if err := r.out.Decode(&hello); err != nil {
		t.Fatalf("it says nothing: %v", err)
	}
	r.recipient = hello.Recipient
	return r
}

// open returns the payload of each bundle, nil where it does not open.
func (r reader) open(t *testing.T, tasks ...task) (payloads []*string) {
	t.Helper()
	for _, one := range tasks {
		if err := r.in.Encode(one); err != nil {
			t.Fatal(err)
		}
		var answer struct{ Payload *string }
		if err := r.out.Decode(&answer); err != nil {
			t.Fatal(err)
		}
		payloads = append(payloads, answer.Payload)
	}
	return payloads
}
