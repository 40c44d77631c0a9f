package browser_test

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/keysake/keysake/internal/apptest"
)

// An admin creates a user, hands the link over, disables the user, and deletes the user.
func TestAnAdminCreatesStopsAndDeletesAUser(t *testing.T) {
	for name, scripts := range map[string]bool{"with scripts": true, "without scripts": false} {
		t.Run(name, func(t *testing.T) {
			s := apptest.Start(t)
			b := openTab(t, s)
			b.look(360, "dark")
			b.run("scripts", emulation.SetScriptExecutionDisabled(!scripts))
			b.signIn()
			b.press(`a[href="/ui/users"]`)
			b.fill("#username", "mia")
			b.press("form.sheet button.main")
			link := eval[string](b, `document.getElementById("token").value`)
			if !strings.HasPrefix(link, s.URL+"/ui/sign-in?link=ksl_") {
				t.Fatal("the page shows no link")
			}
			b.run("a checker is a script", emulation.SetScriptExecutionDisabled(false))
			b.assertAccessible("the link")
			b.run("scripts", emulation.SetScriptExecutionDisabled(!scripts))
			b.press("p > a.button")
			if text := b.text(); !strings.Contains(text, "mia") || strings.Contains(text, "ksl_") {
				t.Errorf("the page of the user:\n%s", text)
			}
			for _, step := range []struct{ press, says string }{
				{"button.danger", "Disabled."},
				{`form[action$="/enable"] button`, "Enabled."},
				{"a.danger-link", "This cannot be undone"},
				{"button.danger", "Deleted, with all that the user had."},
			} {
				b.press(step.press)
				if text := b.text(); !strings.Contains(text, step.says) {
					t.Fatalf("no %q in\n%s", step.says, text)
				}
			}
			b.run("the link", chromedp.Navigate(link), chromedp.WaitReady("main"))
			if text := b.text(); strings.Contains(text, "Sign in as mia") {
				t.Errorf("the link of a deleted user works:\n%s", text)
			}
			b.assertClean("pages of admins")
		})
	}
}
