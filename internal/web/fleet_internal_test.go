package web

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/vault"
)

func TestWhatIsWrongIsSaidWithWhatToDo(t *testing.T) {
	now := time.Now()
	const days = 24 * time.Hour
	at := func(ago time.Duration) audit.Entry { return audit.Entry{At: now.Add(-ago)} }
	well := func() (state vault.InstanceState, fleet Fleet) {
		state = vault.InstanceState{
			RootKeys: []vault.RootKeyState{{ID: uuid.New(), First: true, Open: true}},
			Backup:   at(days), Checkpoint: at(days), Whole: true,
		}
		fleet = Fleet{
			Free: 100, Floor: 10, CertificateEnds: now.Add(60 * days), CheckpointEvery: days,
			Servers: []FleetServer{{Version: "1.0.0"}, {Version: "1.0.0"}},
		}
		return state, fleet
	}
	state, fleet := well()
	if found := findings(state, fleet, now); len(found) > 0 {
		t.Errorf("of what is well: %+v", found)
	}
	if found := findings(state, Fleet{}, now); len(found) > 0 {
		t.Errorf("where nothing is known: %+v", found)
	}
	for want, change := range map[string]func(*vault.InstanceState, *Fleet){
		"now: The database was tampered with, or is damaged.": func(
			s *vault.InstanceState, _ *Fleet,
		) {
			s.Tamperings = 1
		},
		"now: The database was tampered with, or is damaged: found 2 days ago, in user x.": func(
			s *vault.InstanceState, _ *Fleet,
		) {
			s.Tampering = at(2 * days)
			s.Tampering.Target.Name = "user x"
		},
		"now: The audit log of the instance does not verify.": func(
			s *vault.InstanceState, _ *Fleet,
		) {
			s.LogBroken = true
		},
		"in time: There is no backup.": func(s *vault.InstanceState, _ *Fleet) {
			s.Backup = audit.Entry{}
		},
		"in time: The last backup was made 8 days ago.": func(s *vault.InstanceState, _ *Fleet) {
			s.Backup = at(8 * days)
		},
		"in time: No backup is in the part": func(s *vault.InstanceState, _ *Fleet) {
			s.Backup, s.Whole = audit.Entry{}, false
		},
		"in time: The last checkpoint": func(s *vault.InstanceState, _ *Fleet) {
			s.Checkpoint = at(3 * days)
		},
		"did not answer a short time ago.": func(s *vault.InstanceState, _ *Fleet) {
			s.RootKeys[0].Fault = errors.New("no answer")
		},
		"is not open here: 2 libraries cannot be read.": func(s *vault.InstanceState, _ *Fleet) {
			s.RootKeys[0].Open, s.RootKeys[0].OwnerKeys = false, 2
		},
		"now: The first root key of the configuration is not in use": func(
			s *vault.InstanceState, _ *Fleet,
		) {
			s.RootKeys[0].First = false
		},
		"now: The disk is almost full.":    func(_ *vault.InstanceState, f *Fleet) { f.Free = 9 },
		"in time: The disk is filling up.": func(_ *vault.InstanceState, f *Fleet) { f.Free = 19 },
		"now: The database cannot be used: it fails.": func(_ *vault.InstanceState, f *Fleet) {
			f.Fault = "it fails"
		},
		"in time: This server is read-only": func(_ *vault.InstanceState, f *Fleet) { f.ReadOnly = true },
		"now: The certificate has expired.": func(_ *vault.InstanceState, f *Fleet) {
			f.CertificateEnds = now.Add(-time.Hour)
		},
		"in time: The certificate expires on": func(_ *vault.InstanceState, f *Fleet) {
			f.CertificateEnds = now.Add(13 * days)
		},
		"in time: The floors file": func(_ *vault.InstanceState, f *Fleet) { f.FloorsFault = true },
		"in time: Servers of several versions": func(_ *vault.InstanceState, f *Fleet) {
			f.Servers[0].Version = "1.1.0"
		},
	} {
		state, fleet := well()
		change(&state, &fleet)
		found := findings(state, fleet, now)
		if len(found) != 1 || found[0].Advice == "" {
			t.Errorf("%s: %+v", want, found)
			continue
		}
		text := "in time: " + found[0].Text
		if found[0].Bad {
			text = "now: " + found[0].Text
		}
		if !strings.Contains(text, want) {
			t.Errorf("%q, not %q", text, want)
		}
	}
	state, fleet = well()
	state.Tampering = at(31 * days)
	if found := findings(state, fleet, now); len(found) > 0 {
		t.Errorf("of what was found long ago: %+v", found)
	}
}

func TestASizeIsInItsLargestUnit(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 bytes", 1: "1 byte", 1023: "1023 bytes", 1 << 10: "1.0 KiB", 1536: "1.5 KiB",
		20 << 20: "20.0 MiB", 3 << 40: "3.0 TiB", 5000 << 40: "5000.0 TiB",
	} {
		if got := bytesText(n); got != want {
			t.Errorf("%d is %s, not %s", n, got, want)
		}
	}
}
