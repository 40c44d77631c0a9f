package vault

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/seal"
)

// maxImport is how many secrets may be imported at once.
const maxImport = 200

// An Import is several secrets that are stored together or not at all. The zero Import is refused.
type Import struct {
	secrets []SecretRequest
	replace bool
}

// NewImport returns the import of these secrets. With replace, one whose name is in use gets the
// value as its next version. Invalid: there are none, too many, or two of one name.
func NewImport(secrets []SecretRequest, replace bool) (Import, error) {
	in := Import{secrets, replace}
	return in, in.check()
}

func (in Import) check() error {
	switch n := len(in.secrets); {
	case n == 0:
		return invalid(Field{"secrets", TooShort, "At least one secret"})
	case n > maxImport:
		return invalid(Field{"secrets", TooMany, fmt.Sprintf("At most %d secrets", maxImport)})
	}
	var twice []Field
	seen := map[string]bool{}
	for i, one := range in.secrets {
		if name := one.Name.text; name != "" && seen[name] {
			twice = append(twice, Field{
				importField(i, "name"), GoodValue, "Two secrets of one name: leave one out",
			})
		}
		seen[one.Name.text] = true
	}
	if len(twice) > 0 {
		return invalid(twice...)
	}
	return nil
}

func importField(i int, member string) string { return fmt.Sprintf("secrets.%d.%s", i, member) }

// InImport says of which secret of an import an Invalid error is.
func InImport(i int, err error) error {
	bad, ok := errors.AsType[*Error](err)
	if !ok || bad.Kind != Invalid {
		return err
	}
	var fields []Field
	for _, f := range bad.Fields {
		fields = append(fields, Field{importField(i, f.Name), f.Rule, f.Msg})
	}
	return invalid(fields...)
}

// An importedSecret is one secret of an import, sealed and ready to be stored.
type importedSecret struct {
	was, next StoredSecret // was is zero for a new one
	mask      string
	same      bool // it has the value already
}

// ImportSecrets stores several secrets in the caller's library, all of them or none. It needs the
// scope secrets:write. Invalid: one is refused, as by CreateSecret. Conflict: a name is in use, and
// the import replaces none. Denied: they do not all fit into the quota.
func (s *Service) ImportSecrets(ctx context.Context, who Actor, in Import) ([]Secret, error) {
	want := inOwnLibrary(who, policy.SecretImport)
	if err := s.authorize(ctx, who, want.action); err != nil {
		return nil, err
	}
	if err := s.checkImport(in); err != nil {
		return nil, err
	}
	var plan []importedSecret
	err := s.retry(who.Owner(), func() error {
		key, err := s.currentKey(ctx, who.Owner())
		if err != nil {
			return callerGone(err)
		}
		if plan, err = s.planImport(ctx, who, in, key); err != nil {
			return err
		}
		return s.update(ctx, want, func(c *change) error {
			if err := c.stillSeals(key); err != nil {
				return err
			}
			return s.storeImport(ctx, c, plan)
		})
	})
	if err != nil {
		return nil, err
	}
	secrets := make([]Secret, len(plan))
	for i, one := range plan {
		secrets[i] = one.next.masked(one.mask)
	}
	return secrets, nil
}

func (s *Service) checkImport(in Import) error {
	errs := []error{in.check()}
	for i, one := range in.secrets {
		err := JoinInvalid(checkName(one.Name.text), checkValue(one.Value.plain))
		_, found := s.catalog.Preset(one.Provider)
		switch {
		case err != nil:
		case !found && one.Provider != "":
			err = unknownProvider()
		default:
			err = s.checkPreset(StoredSecret{
				Name: one.Name.text, Provider: one.Provider,
			}, one.Value)
		}
		errs = append(errs, InImport(i, err))
	}
	return JoinInvalid(errs...)
}

// planImport reads what the caller has, and seals what is to be stored.
func (s *Service) planImport(
	ctx context.Context, who Actor, in Import, key seal.OwnerKey,
) ([]importedSecret, error) {
	had, by, err := s.readForImport(ctx, who, in)
	if err != nil {
		return nil, err
	}
	var taken []Field
	plan := make([]importedSecret, 0, len(in.secrets))
	for i, one := range in.secrets {
		was, exists := had[one.Name.text]
		if exists && !in.replace {
			taken = append(taken, Field{importField(i, "name"), GoodValue, "Already exists"})
			continue
		}
		next, err := s.planSecret(ctx, who, by, key, was, one)
		if err != nil {
			return nil, InImport(i, err)
		}
		plan = append(plan, next)
	}
	if len(taken) > 0 {
		return nil, &Error{
			Kind: Conflict, Fields: taken,
			Detail: "There are already secrets of these names: replace them, or leave them out",
		}
	}
	return plan, nil
}

// readForImport returns the caller's secrets by name, those that are replaced with their values.
func (s *Service) readForImport(
	ctx context.Context, who Actor, in Import,
) (had map[string]StoredSecret, by openers, err error) {
	err = s.view(ctx, who, policy.SecretImport, func(p *page) error {
		had, by = map[string]StoredSecret{}, p.openers()
		all, err := p.secrets(ctx)
		for _, one := range all {
			had[one.Name] = one
		}
		for _, one := range in.secrets {
			if was, exists := had[one.Name.text]; err == nil && exists && in.replace {
				had[one.Name.text], err = p.sealedSecret(ctx, was.ID)
			}
		}
		return err
	})
	return had, by, err
}

func (s *Service) planSecret(
	ctx context.Context, who Actor, by openers, key seal.OwnerKey,
	was StoredSecret, in SecretRequest,
) (one importedSecret, err error) {
	one = importedSecret{was: was, next: was, mask: in.Value.mask()}
	if was.ID == uuid.Nil {
		one.next = StoredSecret{User: who.Owner(), Name: in.Name.text, Provider: in.Provider}
		if one.next.ID, err = newID(); err != nil {
			return one, err
		}
		one.next.CreatedAt = s.time()
	} else {
		if err = s.checkPreset(was, in.Value); err != nil {
			return one, err
		}
		if one.same, err = s.hasValue(ctx, who, by, was, in.Value); err != nil || one.same {
			return one, err
		}
	}
	one.next.Version++
	one.next.seal(key, in.Value, one.mask, s.time())
	return one, nil
}

func (s *Service) storeImport(ctx context.Context, c *change, plan []importedSecret) error {
	made := 0
	for _, one := range plan {
		if one.was.ID == uuid.Nil {
			made++
		}
	}
	if c.ledger.Secrets.Len()+made > s.limits.secrets {
		return denied("The quota of secrets has no room for all of them: nothing was stored")
	}
	for _, one := range plan {
		c.record(one.next.target())
		if one.was.ID == uuid.Nil {
			err := c.addSecret(ctx, one.next)
			if KindOf(err) == Conflict {
				return errStale // somebody was faster: the next plan names it
			}
			if err != nil {
				return err
			}
			continue
		}
		was, err := c.current(ctx, one.was)
		if err == nil && !one.same {
			err = c.replaceSecret(ctx, was, one.next, s.keep())
		}
		if err != nil {
			return err
		}
	}
	return nil
}
