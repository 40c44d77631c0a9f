package web_test

import (
	"encoding/csv"
	"encoding/json"
	"html"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

func TestTheAuditLogIsDownloadedAsTheAPIShowsIt(t *testing.T) {
	s := apptest.Start(t)
	b := open(t, s)
	b.signIn("dev")
	secret := b.add("LOGGED", "value-in-the-log")
	for i := range 210 { // more than a page
		apptest.Must(t, second(s.Client(t).UpdateSecret(t.Context(),
			strings.TrimPrefix(secret, "/ui/secrets/"), wire.UpdateSecret{
				Value: plaintext.FromString("value-in-the-log-" + strconv.Itoa(i)),
			})))
	}
	page, err := s.Client(t).ListAudit(t.Context(), client.AuditFilter{})
	apptest.Must(t, err)
	var got []wire.AuditEntry
	file := b.get("/ui/audit/export?format=jsonl").want(t, http.StatusOK)
	for line := range strings.Lines(file.text) {
		var entry wire.AuditEntry
		apptest.Must(t, json.Unmarshal([]byte(line), &entry))
		got = append(got, entry)
	}
	diff := cmp.Diff(page.Entries, got[:min(len(got), len(page.Entries))])
	if diff != "" || len(got) < 210 {
		t.Errorf("%d entries: %s", len(got), diff)
	}
	if how := file.Header.Get("Content-Disposition"); !strings.HasPrefix(how, "attachment; ") {
		t.Errorf("it is not a download: %s", how)
	}
	some := b.get("/ui/audit/export?format=jsonl&action=secret.create").text
	if n := strings.Count(some, "\n"); n != 1 {
		t.Errorf("%d entries with a filter", n)
	}
	for _, query := range []string{"", "format=xml", "format=csv&from=yesterday"} {
		b.get("/ui/audit/export?"+query).want(t, http.StatusBadRequest)
	}
	if text := b.get("/ui/audit?action=secret.create&cursor=").text; !strings.Contains(
		text, "/ui/audit/export?action=secret.create&amp;format=csv\"") {
		t.Errorf("the page does not offer what it shows:\n%s", text)
	}
	older := regexp.MustCompile(`href="([^"]*cursor=[^"]*)"`).
		FindStringSubmatch(b.get("/ui/audit?action=secret.update").text)
	if older == nil || !strings.Contains(older[1], "action=secret.update&amp;cursor=") ||
		!strings.Contains(b.get(html.UnescapeString(older[1])).text, "Value replaced") {
		t.Errorf("older entries: %v", older)
	}
	open(t, s).get("/ui/audit/export?format=csv").leadsTo(t, "/ui/sign-in")
}

func TestATableHasNoFormula(t *testing.T) {
	s := apptest.Start(t)
	b := open(t, s)
	b.signIn("dev")
	secret := strings.TrimPrefix(b.add("FORMULA", "value-of-the-formula"), "/ui/secrets/")
	runs := []string{
		`=HYPERLINK("x","y")`, "+1", "-1", "@SUM(1)", "＝1", `harmless, "quoted"`, "'=1",
	}
	for _, run := range runs {
		apptest.Must(t, second(s.Client(t).CreateLease(t.Context(), wire.CreateLease{
			SecretIDs: []string{secret}, Delivery: "ticket", Run: &wire.Run{ID: &run},
		})))
	}
	text := b.get("/ui/audit/export?format=csv&action=lease.create").want(t, http.StatusOK).text
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	apptest.Must(t, err)
	var got []string
	for _, row := range rows[1:] {
		got = append(got, row[12])
	}
	want := []string{
		"'=1", `harmless, "quoted"`, "'＝1", "'@SUM(1)", "'-1", "'+1", `'=HYPERLINK("x","y")`,
	}
	if diff := cmp.Diff(want, got); diff != "" || rows[0][12] != "run" {
		t.Errorf("%v: %s", rows[0], diff)
	}
}
