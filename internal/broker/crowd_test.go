package broker_test

import (
	"testing"

	"github.com/keysake/keysake/internal/broker"
)

func TestRefusalsOfOneLeaseLeaveRoomForWhatOthersDo(t *testing.T) {
	t.Parallel()
	if loud, quiet := broker.Waiting(100_000); loud > 300 || quiet != 1 {
		t.Errorf("%d refusals wait, and %d of the other lease", loud, quiet)
	}
	s := startRemembering(t)
	ended := s.lease("openai")
	s.revoke(ended)
	for range 20 {
		s.ask("GET", "/openai/v1/models", bearer(ended), nil)
	}
	if all := s.records(); len(all) != 1 || all[0].Lease != ended.id {
		t.Errorf("%d requests with a dead placeholder are recorded", len(all))
	}
}
