package browser_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"github.com/keysake/keysake/internal/apptest"
)

// paste puts a text into the field for a file, as from the clipboard.
func (b *tab) paste(text string) {
	b.t.Helper()
	b.run("paste", chromedp.Focus("#text", chromedp.ByQuery),
		input.InsertText(text))
}

// With scripts the text stays in its field while its preview is shown; without, it is pasted twice.
func TestAFileIsPastedLookedAtAndStored(t *testing.T) {
	for name, scripts := range map[string]bool{"with scripts": true, "without scripts": false} {
		t.Run(name, func(t *testing.T) {
			s := apptest.Start(t)
			b := openTab(t, s)
			b.run("scripts", emulation.SetScriptExecutionDisabled(!scripts))
			b.signIn()
			file := "# keys\nOPENAI_API_KEY=" + canary() + "\nexport MAIL_TOKEN='" + canary() +
				"'\nPATH=/bin\n"
			for _, width := range []int{360, 1440} {
				theme := map[int]string{360: "light", 1440: "dark"}[width]
				b.look(width, theme)
				b.visit("/ui/secrets/import")
				b.paste(file)
				if scripts {
					b.run("preview", chromedp.Click(`button[value=preview]`, chromedp.ByQuery),
						chromedp.WaitVisible(`#preview h2`, chromedp.ByQuery))
				} else {
					b.press(`button[value=preview]`)
					b.assertNoCanary("the preview")
				}
				what := fmt.Sprintf("preview-%d-%s", width, theme)
				b.run("a checker is a script", emulation.SetScriptExecutionDisabled(false))
				b.assertAccessible(what)
				b.run("scripts", emulation.SetScriptExecutionDisabled(!scripts))
				text := b.text()
				for _, want := range []string{
					"3 variables", "a key of OpenAI", "PATH cannot be stored",
				} {
					if !strings.Contains(text, want) {
						t.Errorf("the preview lacks %q:\n%s", want, text)
					}
				}
				if wide := eval[int](b, "document.documentElement.scrollWidth"); wide > width {
					t.Errorf("%s is %d wide", what, wide)
				}
				b.screenshot(what)
			}
			if !scripts {
				b.paste(file)
			}
			b.press(`button[value=store]`)
			b.assertNoCanary("stored")
			if text := b.text(); !strings.Contains(text, "Stored, all of them") ||
				!strings.Contains(text, "MAIL_TOKEN") {
				t.Errorf("the page does not say that they are stored:\n%s", text)
			}
			b.assertClean("all pages")
		})
	}
}
