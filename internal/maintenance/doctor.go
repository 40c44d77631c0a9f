package maintenance

import (
	"context"
	"errors"
	"fmt"

	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/store"
)

// DoctorOptions say what [Doctor] is to look at.
type DoctorOptions struct {
	// how many versions to open, of the database and of the backup each; [doctor.All] for all
	Sample int
	Backup string // a backup to look at as well; none if empty
}

// Doctor answers "could we recover?" of a data folder, and of a backup if one is named. It works
// beside a server that may be serving, changes nothing, and shows nothing of a value. What is wrong
// is in the report; an error says that it could not be made.
func Doctor(
	ctx context.Context, cfg config.Config, ask rootkey.Ask, what DoctorOptions,
) (doctor.Report, error) {
	r := &reporter{cfg: cfg, roots: instance.NewRootKeys(cfg, ask), what: what}
	r.folder()
	if err := r.database(ctx); err != nil {
		return r.report, err
	}
	if what.Backup != "" {
		if err := r.backup(ctx); err != nil {
			return r.report, err
		}
	}
	return r.report, ctx.Err()
}

// reporter makes the report, check by check.
type reporter struct {
	cfg    config.Config
	roots  *instance.RootKeys
	what   DoctorOptions
	report doctor.Report
}

func (r *reporter) add(checks ...doctor.Check) {
	r.report.Checks = append(r.report.Checks, checks...)
}

func (r *reporter) ok(name, format string, args ...any) {
	r.add(doctor.Check{Name: name, Status: doctor.OK, Text: fmt.Sprintf(format, args...)})
}

func (r *reporter) warn(name, do, format string, args ...any) {
	r.add(
		doctor.Check{
			Name:   name,
			Status: doctor.Warning,
			Text:   fmt.Sprintf(format, args...),
			Advice: do,
		},
	)
}

func (r *reporter) fail(name, do, format string, args ...any) {
	r.add(
		doctor.Check{Name: name, Status: doctor.Failed, Text: fmt.Sprintf(format, args...), Advice: do},
	)
}

// source examines the rows of a database or of a backup; of tells which in the names of the checks.
func (r *reporter) source(ctx context.Context, of string, src backup.Source) error {
	keys, err := store.RootKeys(ctx, src)
	if _, damaged := errors.AsType[*store.DamagedError](err); damaged {
		r.fail(of+"root key rows", restoreBackup, "%v", err)
	} else if err != nil {
		return err
	}
	if of == "" {
		r.checkKeyLocation(keys)
	}
	roots := r.rootKeys(ctx, of+"root keys", keys)
	checks, err := doctor.Examine(ctx, src, roots, r.what.Sample)
	for _, c := range checks {
		c.Name = of + c.Name
		r.add(c)
	}
	return err
}
