package attack_test

import (
	"strings"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/apptest"
)

func TestAnIDInAnotherSpellingIsNotASecondRow(t *testing.T) {
	for name, spell := range map[string]func(string) string{
		"upper case": strings.ToUpper,
		"braces":     func(id string) string { return "{" + id + "}" },
		"urn":        func(id string) string { return "urn:uuid:" + id },
		"no hyphens": func(id string) string { return strings.ReplaceAll(id, "-", "") },
		"NUL":        func(id string) string { return id + "\x00" },
		"space":      func(id string) string { return " " + id },
		"empty":      func(string) string { return "" },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			id := spell(h.one.ID)
			h.insert("secrets", h.byID("secrets", h.one.ID).with("id", id, "name", "COPY"))
			h.both(func() {
				if _, err := h.as(h.mia).ListSecrets(t.Context()); err == nil {
					t.Error("the list shows a secret twice")
				}
				h.works(h.eve)
			})
			h.named()
		})
	}
}

func TestAUsersIDInAnotherSpellingHidesNoRow(t *testing.T) {
	h := newHouse(t)
	h.set("secrets", h.one.ID, "user_id", strings.ToUpper(h.mia.id))
	h.both(func() { h.tamperedList(h.mia) })
	h.named()
}

func TestTextsThatLookAlikeAreNotTheSame(t *testing.T) {
	for name, text := range map[string]string{
		"NUL": "ONE\x00", "space": "ONE ", "case": "one", "look-alike": "\u039fNE", "tab": "ONE\t",
		"line": "ONE\nTWO", "not UTF-8": "ONE\xff", "empty": "",
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.set("secrets", h.one.ID, "name", text)
			h.both(func() {
				_, err := h.as(h.mia).GetSecret(t.Context(), h.one.ID)
				h.tampering("the secret", err)
				h.works(h.eve)
			})
			h.named()
		})
	}
}

func TestScopesInAnotherSpellingAllowNothing(t *testing.T) {
	for name, scopes := range map[string]string{
		"NUL": "secrets:read\x00admin", "wide space": "secrets:read\u00a0admin",
		"line": "secrets:read\nadmin", "twice": "secrets:read admin admin",
		"case": "secrets:read ADMIN", "none": "",
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			small := h.newKey(h.eve, "small", "secrets:read", "secrets:write")
			h.set("api_keys", small.keyID, "scopes", scopes)
			h.both(func() { h.refusedKey(small.key) })
			h.named()
		})
	}
}

// store puts a value into a column that its type forbids: the table is not strict for a moment.
func (h *House) store(table, id, column string, value any) {
	h.t.Helper()
	own := h.row("sqlite_schema", "name = ?", table).text("sql")
	loose := strings.NewReplacer(") STRICT", ")", " NOT NULL", "", " INTEGER", "", " TEXT", "",
		" BLOB", "").Replace(own)
	h.exec("PRAGMA ignore_check_constraints = ON")
	h.exec("PRAGMA writable_schema = ON")
	h.exec("UPDATE sqlite_schema SET sql = ? WHERE name = ?", loose, table)
	h.exec("PRAGMA writable_schema = RESET")
	h.set(table, id, column, value)
	h.exec("PRAGMA writable_schema = ON")
	h.exec("UPDATE sqlite_schema SET sql = ? WHERE name = ?", own, table)
	h.exec("PRAGMA writable_schema = RESET")
}

func TestAValueOfAnotherTypeOrNoneIsNotTakenForTheTrueOne(t *testing.T) {
	for name, c := range map[string]struct {
		column string
		value  func(r row) any
	}{
		"scopes as bytes": {"scopes", func(r row) any { return []byte(r.text("scopes")) }},
		"scopes as NULL":  {"scopes", func(row) any { return nil }},
		"user as bytes":   {"user_id", func(r row) any { return []byte(r.text("user_id")) }},
		"parent as NULL":  {"parent_id", func(row) any { return nil }},
		"expiry as text":  {"expires_at", func(row) any { return "tomorrow" }},
		"expiry as float": {"expires_at", func(row) any { return 9e18 }},
		"flag as text":    {"self_revoke", func(row) any { return "1" }},
		"flag as 2":       {"self_revoke", func(row) any { return int64(2) }},
		"name as NULL":    {"name", func(row) any { return nil }},
		"made as text":    {"created_at", func(row) any { return "0" }},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			small := h.newKey(h.eve, "small", "secrets:read")
			h.store("api_keys", small.keyID, c.column, c.value(h.byID("api_keys", small.keyID)))
			h.noMore(small)
			h.works(h.mia)
			if h.start() == nil {
				h.noMore(small)
			}
			h.named()
		})
	}
}

func TestASecretWithAValueOfAnotherTypeIsNotDelivered(t *testing.T) {
	for name, c := range map[string]struct {
		column string
		value  func(r row) any
	}{
		"name as bytes":     {"name", func(r row) any { return []byte(r.text("name")) }},
		"provider as NULL":  {"provider", func(row) any { return nil }},
		"version as text":   {"version", func(row) any { return "2" }},
		"version as float":  {"version", func(row) any { return 2.0 }},
		"version negative":  {"version", func(row) any { return int64(-2) }},
		"mask as NULL":      {"sealed_mask", func(row) any { return nil }},
		"value as NULL":     {"sealed_value", func(row) any { return nil }},
		"time out of range": {"created_at", func(row) any { return int64(1 << 62) }},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.store("secrets", h.one.ID, c.column, c.value(h.byID("secrets", h.one.ID)))
			use := func() {
				_, err := h.as(h.mia).GetSecret(t.Context(), h.one.ID)
				v, openErr := h.open(h.mia, h.one.ID)
				if openErr == nil && err == nil {
					t.Error("the secret was shown and delivered")
				}
				if openErr != nil && v.Len() > 0 {
					t.Error("an error, and yet a value")
				}
				h.works(h.eve)
			}
			use()
			if h.start() == nil {
				use()
			}
			h.named()
		})
	}
}

func TestAnIDOfAnotherKindIsNone(t *testing.T) {
	h := newHouse(t)
	// one id for a user, a key, a secret and an owner key
	h.change("secrets", h.byID("secrets", h.two.ID),
		h.byID("secrets", h.two.ID).with("id", h.mia.id))
	inserted, token := h.forgeKey(h.mia, "id", h.mia.id)
	h.insert("api_keys", inserted)
	h.both(func() {
		h.refusedKey(token)
		h.refusedSecret(h.mia, h.mia.id)
		h.tamperedList(h.mia)
	})
	h.named()
}

func TestManyInsertedRowsStopNobodyElse(t *testing.T) {
	h := newHouse(t)
	first := h.byID("secrets", h.one.ID)
	h.exec("BEGIN")
	for range 5000 {
		h.insert("secrets", first.with("id", newID(), "name", newName()))
	}
	h.exec("COMMIT")
	begun := time.Now()
	h.tamperedList(h.mia)
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	h.works(h.eve)
	apptest.Must(t, func() error { _, err := h.as(h.mia).WhoAmI(t.Context()); return err }())
}

// noMore demands that a key, whose row says the same in another type, allows no more than it did.
func (h *House) noMore(p Person) {
	h.t.Helper()
	me, err := h.as(p).WhoAmI(h.t.Context())
	if err != nil {
		h.refusedKey(p.key)
		return
	}
	if me.ID != p.id || me.IsPlatformAdmin {
		h.t.Errorf("%s is taken for another", p.name)
	}
	for what, err := range map[string]error{
		"a list of users":        func() error { _, err := h.as(p).ListUsers(h.t.Context()); return err }(),
		"a revocation of itself": h.as(p).RevokeSelf(h.t.Context()),
	} {
		if err == nil {
			h.t.Errorf("%s was not refused", what)
		}
	}
}
