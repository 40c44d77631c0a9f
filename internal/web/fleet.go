package web

import (
	"math"
	"net/http"
	"time"

	"github.com/google/uuid"
)

// A Fleet is what a server knows of itself, of those beside it, and of their database.
type Fleet struct {
	Program string        // that answers, and its version; empty if it is not known
	Servers []FleetServer // that share the database; none where that is not known

	Database    string // its kind
	Size        int64  // 0 if it is not known
	Free, Floor uint64 // bytes on the disk, and how many there must be; 0 if they are not known
	ReadOnly    bool
	Fault       string // why the database cannot be read or written; empty if it can

	RootKeyKinds    map[uuid.UUID]string // where the configuration finds each root key
	CertificateEnds time.Time            // zero where the server has none
	CheckpointEvery time.Duration        // of the audit log; 0 for never
	FloorsFault     bool                 // the file that knows older data cannot be written
}

// A FleetServer is a program that is connected to a database that servers share.
type FleetServer struct {
	Program, Version, Address string
	Connections               int
	Since                     time.Time // of the oldest connection; zero if it is not known
	Own                       bool      // it is the one that answers
}

// showFleet shows whether the servers, their database and their keys are well.
func (s *site) showFleet(w http.ResponseWriter, r *request) error {
	state, err := s.Vault.InstanceState(r.Context(), r.session.Actor)
	if err != nil {
		return err
	}
	fleet := s.Fleet(r.Context())
	return s.show(w, r, http.StatusOK, "fleet", view{
		Title: "Servers", Here: "fleet", Data: map[string]any{
			"State": state, "Fleet": fleet, "Findings": findings(state, fleet, time.Now()),
		},
	})
}

// FreeBytes is Free for a template.
func (f Fleet) FreeBytes() int64 { return int64(min(f.Free, math.MaxInt64)) }
