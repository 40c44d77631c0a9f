package web

import (
	"fmt"
	"time"

	"github.com/keysake/keysake/internal/vault"
)

// A finding is something that an operator should do.
type finding struct {
	Bad    bool // something is lost, or will be; otherwise it should be done in time
	Text   string
	Advice string
}

// From when on a finding is one.
const (
	maxBackupAge   = 7 * 24 * time.Hour
	minCertificate = 14 * 24 * time.Hour
	tamperingShown = 30 * 24 * time.Hour // after it was recorded
)

// findings returns what is wrong, as far as a server sees it without opening anything.
func findings(state vault.InstanceState, f Fleet, now time.Time) (found []finding) {
	add := func(when, bad bool, text, advice string) {
		if when {
			found = append(found, finding{bad, text, advice})
		}
	}
	recent := now.Sub(state.Tampering.At) < tamperingShown
	add(state.Tamperings > 0 || recent, true, tamperingText(state),
		"Run keysake doctor, and look for who can write the database.")
	add(state.LogBroken, true, "The audit log of the instance does not verify.",
		"Run keysake doctor.")
	add(f.Fault != "", true, "The database cannot be used: "+f.Fault+".",
		"Look into the log of the server.")
	add(f.ReadOnly, false, "This server is read-only: it found a database that it cannot write.",
		"Make it writable, and restart the server.")
	add(f.Free < f.Floor, true, "The disk is almost full.", "Make room.")
	add(f.Free >= f.Floor && f.Free < 2*f.Floor, false, "The disk is filling up.",
		"Make room before only revoking and deleting work.")
	found = append(found, keyFindings(state)...)
	found = append(found, backupFindings(state, f, now)...)
	ends := f.CertificateEnds
	add(!ends.IsZero() && !ends.After(now), true, "The certificate has expired.",
		"Renew it: the server reads the new files by itself.")
	add(ends.After(now) && ends.Sub(now) < minCertificate, false,
		"The certificate expires on "+day(ends)+".",
		"Renew it: the server reads the new files by itself.")
	add(f.FloorsFault, false, "The floors file cannot be written: after a crash, older data that "+
		"is put back is not noticed.", "Look into the log of the server.")
	add(versions(f) > 1, false, "Servers of several versions share the database.",
		"Finish the upgrade.")
	return found
}

func tamperingText(state vault.InstanceState) string {
	last := state.Tampering
	switch {
	case last.At.IsZero():
		return "The database was tampered with, or is damaged."
	case last.Target.Name == "":
		return "The database was tampered with, or is damaged: found " + ago(last.At) + "."
	}
	return fmt.Sprintf("The database was tampered with, or is damaged: found %s, in %s.",
		ago(last.At), last.Target.Name)
}

func keyFindings(state vault.InstanceState) (found []finding) {
	first := false
	for _, k := range state.RootKeys {
		first = first || k.First
		switch {
		case k.Fault != nil:
			found = append(found, finding{
				true, "The root key " + k.ID.String() + " did not answer a short time ago.",
				"Look at its key service, and into the log of the server.",
			})
		case !k.Open && k.OwnerKeys > 0:
			found = append(found, finding{
				true, fmt.Sprintf("The root key %s is not open here: %s cannot be read.", k.ID,
					count(k.OwnerKeys, "library", "libraries")),
				"Name it in the keys file: see keysake root-key status.",
			})
		}
	}
	if !first {
		found = append(found, finding{
			true, "The first root key of the configuration is not in use: no user can be created.",
			"See keysake root-key status.",
		})
	}
	return found
}

func backupFindings(state vault.InstanceState, f Fleet, now time.Time) (found []finding) {
	if at := state.Backup.At; at.IsZero() || now.Sub(at) > maxBackupAge {
		text := "There is no backup."
		switch {
		case !at.IsZero():
			text = "The last backup was made " + ago(at) + "."
		case !state.Whole:
			text = "No backup is in the part of the audit log that was looked at."
		}
		found = append(found, finding{false, text, "Make one with keysake backup, and keep it " +
			"elsewhere."})
	}
	if at := state.Checkpoint.At; f.CheckpointEvery > 0 && !at.IsZero() &&
		now.Sub(at) > 2*f.CheckpointEvery {
		found = append(found, finding{
			false, "The last checkpoint of the audit log was made " + ago(at) + ".",
			"Look into the log of the server.",
		})
	}
	return found
}

// versions returns how many versions the servers have.
func versions(f Fleet) int {
	known := map[string]bool{}
	for _, server := range f.Servers {
		known[server.Version] = true
	}
	return len(known)
}
