package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
)

func TestAPastedFileIsSeenBeforeItIsStored(t *testing.T) {
	s := apptest.Start(t)
	b := open(t, s)
	b.signIn("dev")
	known := b.add("KNOWN", "value-of-before")
	canary := "canary" + strings.Repeat("Wx9", 12)
	file := "# a comment\nexport OPENAI_API_KEY='" + canary + "1'\r\nKNOWN=" + canary +
		"2\nPATH=/bin\nEMPTY=\nANTHROPIC_API_KEY='" + canary + " 3'\n"

	seen := b.send("/ui/secrets/import", "step", "preview", "text", file).want(t, 200).text
	for _, want := range []string{
		`name="add" value="OPENAI_API_KEY" checked`, "a key of OpenAI",
		`name="replace" value="KNOWN">`, known,
	} {
		if !strings.Contains(seen, want) {
			t.Errorf("the preview lacks %s:\n%s", want, seen)
		}
	}
	for _, refused := range []string{"PATH", "EMPTY", "ANTHROPIC_API_KEY"} {
		if !strings.Contains(seen, refused+"</code> <strong>cannot be stored") {
			t.Errorf("%s is not refused:\n%s", refused, seen)
		}
	}
	if strings.Contains(b.get("/ui/secrets").text, "OPENAI_API_KEY") {
		t.Fatal("the preview stored something")
	}

	// what was not shown so is not stored so
	for _, choice := range [][2]string{
		{"add", "KNOWN"},
		{"replace", "OPENAI_API_KEY"},
		{"add", "PATH"},
		{"add", "NONE"},
		{"", ""},
	} {
		b.send("/ui/secrets/import", "step", "store", "text", file, choice[0], choice[1]).
			want(t, http.StatusConflict)
	}
	b.send("/ui/secrets/import", "step", "store", "text", file,
		"add", "OPENAI_API_KEY", "replace", "KNOWN").leadsTo(t, "/ui/secrets?done=all-stored")
	if text := b.get(known).text; !strings.Contains(text, "Use version 1 again") {
		t.Error("the value is not replaced")
	}

	for _, text := range []string{
		"", "# nothing", "no equals sign " + canary, "A='" + canary, "A=" + canary + "\nA=2",
		"A=" + strings.Repeat("x", 256<<10),
	} {
		b.send("/ui/secrets/import", "step", "preview", "text", text).want(t, 422)
	}
	if all := b.seen.String() + s.Logs.String(); strings.Contains(all, canary[:30]) {
		t.Error("a value is in a page, a header or the log")
	}
}
