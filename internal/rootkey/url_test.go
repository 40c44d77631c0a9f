package rootkey_test

import (
	"errors"
	"net/http"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/rootkey"
)

const (
	arn     = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	version = "0123456789abcdef0123456789abcdef"
)

var goodURLs = []string{
	"passphrase:", "file:/etc/keysake/root.key", "file:root.key", "file:../a b/Schlüssel",
	"hashivault://keysake", "hashivault://key.sake-1_2", "hashivault://k?engine=transit-2",
	"hashivault://k?engine=team/transit",
	"awskms:///" + arn,
	"awskms:///arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/mrk-" + version,
	"gcpkms://projects/p-1/locations/global/keyRings/r/cryptoKeys/k",
	"gcpkms://projects/example.com:p-1/locations/europe-west3/keyRings/R_1/cryptoKeys/K-2",
	"azurekeyvault://vault-1/key/" + version,
}

// badURLs has a URL that somebody who writes the database would try, for each rule of the grammar.
var badURLs = map[string]error{
	"":                         rootkey.ErrScheme,
	"/path":                    rootkey.ErrScheme,
	"awskms":                   rootkey.ErrScheme,
	"hashivault:keysake":       rootkey.ErrScheme,
	"hashivault://":            rootkey.ErrScheme,
	"HASHIVAULT://keysake":     rootkey.ErrScheme,
	" hashivault://keysake":    rootkey.ErrScheme,
	"vault://k":                rootkey.ErrScheme,
	"base64key://AAAA":         rootkey.ErrScheme,
	"https://attacker.example": rootkey.ErrScheme,
	"passphrase:now":           rootkey.ErrForm,
	"passphrase:{01a21cf0-8938-8c89-ad03-511404f508d7}": rootkey.ErrForm,

	// the path of the key service's own operations, with the operator's token
	"hashivault://x/../../../sys/seal":               rootkey.ErrForm,
	"hashivault://../../sys/seal":                    rootkey.ErrForm,
	"hashivault://..":                                rootkey.ErrForm,
	"hashivault://.":                                 rootkey.ErrForm,
	"hashivault://x/y":                               rootkey.ErrForm,
	"hashivault:///x":                                rootkey.ErrForm,
	"hashivault://x/":                                rootkey.ErrForm,
	"hashivault://x%2f..%2f..%2fsys%2fseal":          rootkey.ErrForm,
	"hashivault://x%252f":                            rootkey.ErrForm,
	"hashivault://x\\..\\sys":                        rootkey.ErrForm,
	"hashivault://x\n":                               rootkey.ErrForm,
	"hashivault://x\x00":                             rootkey.ErrForm,
	"hashivault://x\r\nX-Vault-Token: y":             rootkey.ErrForm,
	"hashivault://x?engine=sys":                      rootkey.ErrForm,
	"hashivault://x?engine=sys/raw":                  rootkey.ErrForm,
	"hashivault://x?engine=SYS":                      rootkey.ErrForm,
	"hashivault://x?engine=namespace/sys":            rootkey.ErrForm,
	"hashivault://x?engine=auth/token":               rootkey.ErrForm,
	"hashivault://x?engine=identity":                 rootkey.ErrForm,
	"hashivault://x?engine=cubbyhole":                rootkey.ErrForm,
	"hashivault://x?engine=../sys":                   rootkey.ErrForm,
	"hashivault://x?engine=transit/../sys":           rootkey.ErrForm,
	"hashivault://x?engine=/transit":                 rootkey.ErrForm,
	"hashivault://x?engine=transit/":                 rootkey.ErrForm,
	"hashivault://x?engine=":                         rootkey.ErrForm,
	"hashivault://x?":                                rootkey.ErrForm,
	"hashivault://x?engine=a&engine=b":               rootkey.ErrForm,
	"hashivault://x?address=attacker":                rootkey.ErrForm,
	"hashivault://x#y":                               rootkey.ErrForm,
	"hashivault://attacker.example:8200":             rootkey.ErrForm,
	"hashivault://" + strings.Repeat("x", 129):       rootkey.ErrForm,
	"hashivault://me:word@keysake":                   rootkey.ErrCredentials,
	"awskms:///" + arn + "?region=eu-central-1":      rootkey.ErrForm,
	"awskms:///" + arn + "?endpoint=attacker":        rootkey.ErrForm,
	"awskms:///" + arn + "?profile=admin":            rootkey.ErrForm,
	"awskms:///" + arn + "?context_a=b":              rootkey.ErrForm,
	"awskms:///" + arn + "?anonymous=true":           rootkey.ErrForm,
	"awskms:///alias/keysake":                        rootkey.ErrForm,
	"awskms:///alias/keysake?region=eu-central-1":    rootkey.ErrForm,
	"awskms://" + arn:                                rootkey.ErrForm,
	"awskms:///" + strings.ToUpper(arn):              rootkey.ErrForm,
	"awskms:///1234abcd-12ab-34cd-56ef-1234567890ab": rootkey.ErrForm,

	"awskms:///arn:aws:kms:attacker.example#-eu-1:111122223333:key/mrk-" + version: rootkey.ErrForm,
	"awskms:///arn:aws:kms:eu-central-1:111122223333:alias/keysake":                rootkey.ErrForm,

	"gcpkms://projects/p-1/locations/global/keyRings/r/cryptoKeys/k?endpoint=a":          rootkey.ErrForm,
	"gcpkms://projects/p-1/locations/global/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1": rootkey.ErrForm,
	"gcpkms://projects/p-1/locations/global/keyRings/../cryptoKeys/k":                    rootkey.ErrForm,
	"gcpkms://projects/p-1/locations/global/keyRings/r/cryptoKeys/k/":                    rootkey.ErrForm,
	"gcpkms://me:word@projects/p-1/locations/global/keyRings/r/cryptoKeys/k":             rootkey.ErrCredentials,
	"azurekeyvault://attacker.example/keys/key/" + version:                               rootkey.ErrForm,
	"azurekeyvault://v.vault.azure.net/keys/key":                                         rootkey.ErrForm,
	"azurekeyvault://v.vault.attacker.example/key/" + version:                            rootkey.ErrForm,
	"azurekeyvault://vault-1/key":                                                        rootkey.ErrForm,
	"azurekeyvault://vault-1/../" + version:                                              rootkey.ErrForm,
	"azurekeyvault://vault-1/key/" + version + "?algorithm=RSA1_5":                       rootkey.ErrForm,
	"azurekeyvault://vault-1:8443/key/" + version:                                        rootkey.ErrForm,
	"azurekeyvault://me@vault-1/key/" + version:                                          rootkey.ErrCredentials,
	"file:":                              rootkey.ErrForm,
	"file://host/key":                    rootkey.ErrForm,
	"file:a\x00b":                        rootkey.ErrForm,
	"file:a\nb":                          rootkey.ErrForm,
	"file:a\x1b[2Jb":                     rootkey.ErrForm,
	"file:a\xffb":                        rootkey.ErrForm,
	"file:/" + strings.Repeat("x", 4096): rootkey.ErrForm,
}

func TestAURLNamesAKeyAndNothingElse(t *testing.T) {
	for _, good := range goodURLs {
		if err := rootkey.Check(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for bad, want := range badURLs {
		err := rootkey.Check(bad)
		if !errors.Is(err, want) {
			t.Errorf("%q: %v", bad, err)
		} else if text := err.Error(); strings.Contains(text, "word") ||
			strings.Contains(text, "attacker") {
			t.Errorf("%q: the error repeats it", bad)
		}
	}
}

func TestARefusedURLIsNotAskedForAnything(t *testing.T) {
	transit := apptest.NewTransit(t)
	o := &rootkey.Opener{ServiceTimeout: time.Minute}
	for bad, want := range badURLs {
		if _, err := o.Open(t.Context(), rootkey.Location{URL: bad}); !errors.Is(err, want) {
			t.Errorf("open %q: %v", bad, err)
		}
		if _, _, err := o.Create(t.Context(), bad); !errors.Is(err, want) {
			t.Errorf("create %q: %v", bad, err)
		}
	}
	if n := transit.Calls.Load(); n != 0 {
		t.Errorf("the key service was asked %d times", n)
	}
}

// FuzzURL shows that whatever URL is accepted, only the two operations of a transit engine are
// called, at a path that no server and no proxy reads in another way.
func FuzzURL(f *testing.F) {
	for _, good := range goodURLs {
		f.Add(good)
	}
	for bad := range badURLs {
		f.Add(bad)
	}
	transit := apptest.NewTransit(f)
	o := &rootkey.Opener{ServiceTimeout: time.Minute}
	f.Fuzz(func(t *testing.T, url string) {
		if rootkey.Check(url) != nil || !strings.HasPrefix(url, "hashivault:") {
			return
		}
		transit.Answer(func(w http.ResponseWriter, r *http.Request) {
			mount, key, found := strings.Cut(r.RequestURI, "/encrypt/")
			root, _, _ := strings.Cut(strings.TrimPrefix(mount, "/v1/"), "/")
			if !found || root == "sys" || strings.Contains(key, "/") ||
				path.Clean(r.RequestURI) != r.RequestURI ||
				r.URL.RawQuery != "" || strings.Contains(r.RequestURI, "%") {
				t.Errorf("%q calls %s", url, r.RequestURI)
			}
			apptest.TransitError(http.StatusForbidden, "permission denied")(w, r)
		})
		root, err := o.Open(t.Context(), rootkey.Location{URL: url})
		if err != nil {
			t.Fatalf("%q is accepted, and does not open: %v", url, err)
		}
		if _, err = root.Check(t.Context()); err == nil {
			t.Error("it seals something")
		}
		transit.Answer(nil)
	})
}

// Two URLs of one key would be two root keys.
func TestAKeyHasOneURL(t *testing.T) {
	for _, url := range goodURLs {
		for _, other := range []string{
			url + "/", url + "?", url + "#", url + " ", " " + url,
			strings.Replace(url, "://", ":///", 1), strings.Replace(url, "key", "%6bey", 1),
		} {
			if other == url || strings.HasPrefix(url, "file:") {
				continue
			}
			if rootkey.Check(other) == nil {
				t.Errorf("%q is %q, too", other, url)
			}
		}
	}
}
