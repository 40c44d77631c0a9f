package web

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/dotenv"
	"github.com/keysake/keysake/internal/vault"
)

// An importRow is a variable of a pasted file.
type importRow struct {
	vault.Preview

	Provider string // its name for people
	Why      string // it is refused; empty if it is not
	Chosen   bool
}

// Known reports whether there is a secret of that name.
func (r importRow) Known() bool { return r.Exists != uuid.Nil }

// newImport shows the form for the text of a .env file.
func (s *site) newImport(w http.ResponseWriter, r *request) error {
	return s.show(w, r, http.StatusOK, "secret_import", importView(nil))
}

func importView(rows []importRow) view {
	return view{Title: "Add the variables of a .env file", Here: "secrets", Data: map[string]any{
		"Rows": rows, "Usable": slices.ContainsFunc(rows, func(r importRow) bool {
			return r.Why == ""
		}),
	}}
}

// importSecrets shows what a pasted file has, or stores what was chosen of it. The file comes with
// both forms, because no answer repeats what was pasted and the server does not keep it: a script
// leaves it in its field, and without one it is pasted a second time.
func (s *site) importSecrets(w http.ResponseWriter, r *request) error {
	variables, err := pastedFile(r)
	if err != nil {
		return s.again(w, r, "secret_import", importView(nil), err)
	}
	rows, err := s.importRows(r, variables)
	if err != nil {
		return s.again(w, r, "secret_import", importView(nil), err)
	}
	if r.PostForm.Get("step") != "store" {
		return s.show(w, r, http.StatusOK, "secret_import", importView(rows))
	}
	stored, err := s.storeImport(r, rows)
	if err != nil {
		return s.again(w, r, "secret_import", importView(rows), err)
	}
	if stored == 1 {
		return seeOther(w, r, "/ui/secrets?done=stored")
	}
	return seeOther(w, r, "/ui/secrets?done=all-stored")
}

// pastedFile reads the variables of the form.
func pastedFile(r *request) ([]vault.Variable, error) {
	text := r.PostForm.Get("text")
	broken := func(msg string) error {
		return &vault.Error{Kind: vault.Invalid, Fields: []vault.Field{{Name: "text", Msg: msg}}}
	}
	if len(text) > dotenv.MaxImport {
		return nil, broken("The file is too long: it may have 256 KiB")
	}
	pairs, err := dotenv.ParseImport([]byte(text))
	if bad, ok := errors.AsType[*dotenv.Error](err); ok {
		return nil, broken(fmt.Sprintf("Line %d: %s", bad.Line, bad.Text))
	}
	if err != nil {
		return nil, err
	}
	if len(pairs) == 0 {
		return nil, broken("There is no variable in it: paste lines such as NAME=VALUE")
	}
	var all []vault.Variable
	for _, p := range pairs {
		all = append(all, vault.Variable{Name: p.Name, Value: p.Value})
	}
	return all, nil
}

// importRows looks at each variable. At first those are chosen that are new and not refused.
func (s *site) importRows(r *request, variables []vault.Variable) ([]importRow, error) {
	previews, err := s.Vault.PreviewImport(r.Context(), r.session.Actor, variables)
	if err != nil {
		return nil, err
	}
	rows := make([]importRow, len(previews))
	for i, p := range previews {
		row := importRow{Preview: p, Provider: s.Vault.ProviderName(p.Provider)}
		broken, _ := fieldsOf(p.Refused)
		for _, msg := range broken {
			row.Why = msg
		}
		row.Chosen = row.Why == "" && !row.Known()
		if r.PostForm.Get("step") == "store" {
			row.Chosen = slices.Contains(r.PostForm[row.choice()], p.Name)
		}
		rows[i] = row
	}
	return rows, nil
}

// choice is the field with which a person chose it: one that was shown as new replaces nothing.
func (r importRow) choice() string {
	if r.Known() {
		return "replace"
	}
	return "add"
}

// storeImport stores the chosen rows, all or none.
func (s *site) storeImport(r *request, rows []importRow) (int, error) {
	var chosen []vault.SecretRequest
	replace := false
	for _, row := range rows {
		if row.Chosen && row.Refused == nil {
			chosen, replace = append(chosen, row.Request), replace || row.Known()
		}
	}
	if wanted := len(r.PostForm["add"]) + len(r.PostForm["replace"]); len(chosen) != wanted {
		return 0, &vault.Error{
			Kind: vault.Conflict, Detail: "What you chose is not what is there now, or not what " +
				"was pasted. Nothing was stored: look again.",
		}
	}
	if len(chosen) == 0 {
		return 0, &vault.Error{Kind: vault.Conflict, Detail: "Choose at least one."}
	}
	in, err := vault.NewImport(chosen, replace)
	if err == nil {
		_, err = s.Vault.ImportSecrets(r.Context(), r.session.Actor, in)
	}
	return len(chosen), err
}
