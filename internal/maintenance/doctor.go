package maintenance

import (
	"context"
	"errors"
	"fmt"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/store"
)

// DoctorOptions say what [Doctor] examines.
type DoctorOptions struct {
	// Sample is how many versions of secrets to open, of the database and of the backup each;
	// [doctor.All] for all.
	Sample int
	Backup string // a backup to examine, too; empty for none
}

// Doctor examines whether a data folder, and a backup, could be recovered. A server may be running.
// Doctor changes nothing and shows no value. Faults are in the report; an error means that the
// report could not be completed.
func Doctor(
	ctx context.Context, cfg config.Config, ask rootkey.Ask, o DoctorOptions,
) (doctor.Report, error) {
	r := &reporter{cfg: cfg, keys: instance.NewKeys(cfg, ask), sample: o.Sample}
	r.checkModes()
	r.checkFreeDisk()
	r.checkSignIn(ctx)
	r.checkWebhook()
	if err := r.examineDatabase(ctx); err != nil {
		return r.report, err
	}
	if o.Backup != "" {
		if err := r.examineBackup(ctx, o.Backup); err != nil {
			return r.report, err
		}
	}
	return r.report, ctx.Err()
}

// reporter makes a report, check by check.
type reporter struct {
	cfg    config.Config
	keys   *instance.Keys
	sample int
	report doctor.Report

	signers, backupSigners anchor.Keys
}

func (r *reporter) add(checks ...doctor.Check) {
	r.report.Checks = append(r.report.Checks, checks...)
}

func (r *reporter) ok(name, format string, args ...any) {
	r.add(doctor.Check{Name: name, Status: doctor.OK, Text: fmt.Sprintf(format, args...)})
}

func (r *reporter) warn(name, advice, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.add(doctor.Check{Name: name, Status: doctor.Warning, Text: text, Advice: advice})
}

func (r *reporter) fail(name, advice, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.add(doctor.Check{Name: name, Status: doctor.Failed, Text: text, Advice: advice})
}

// examineRows examines the rows of a database or a backup. The name of each check begins with
// prefix, which is empty for the database.
func (r *reporter) examineRows(ctx context.Context, prefix string, src backup.Source) error {
	known, err := store.RootKeys(ctx, src)
	if _, damaged := errors.AsType[*store.DamagedError](err); damaged {
		r.fail(prefix+"root key rows", restoreBackup, "%v", err)
	} else if err != nil {
		return err
	}
	if prefix == "" {
		r.checkKeyLocation()
	}
	roots := r.openRootKeys(ctx, prefix+"root keys", known, prefix != "")
	signers, err := r.openInstanceKeys(ctx, prefix, src, known)
	if err != nil {
		return err
	}
	if r.backupSigners = signers.get; prefix == "" {
		r.signers = signers.get
	}
	keys := doctor.Keys{Roots: roots, Instance: signers.get, IsClosed: signers.isClosed}
	checks, err := doctor.Examine(ctx, src, keys, r.sample)
	for _, c := range checks {
		c.Name = prefix + c.Name
		r.add(c)
	}
	if err == nil && prefix == "" {
		err = errors.Join(r.checkFloors(ctx, src), r.checkUsers(ctx, src))
	}
	return err
}

// checkFloors checks that no data is older than servers have seen it.
func (r *reporter) checkFloors(ctx context.Context, src backup.Source) error {
	const name = "freshness"
	numbers, file, err := r.keys.Floors()
	switch {
	case err != nil:
		r.fail(name, "check the path and mode of the file, or name another with --floors",
			"%v", err)
	case file == "":
		r.ok(name, "there is no floors file: older data that is put back is not noticed")
	default:
		var c doctor.Check
		if c, err = doctor.CheckFloors(ctx, src, numbers, file); err == nil {
			r.add(c)
		}
		return err
	}
	return nil
}
