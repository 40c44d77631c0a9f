package server

import (
	"context"
	"time"
)

// floorsInterval is how often changed floors are stored.
const floorsInterval = time.Second

// warnFloors logs where floors are kept, and what of them was not completely written.
func (s *server) warnFloors(ctx context.Context) {
	damaged, path := s.instance.DamagedFloors()
	if damaged > 0 {
		s.log.WarnContext(ctx, "records of the floors file were not completely written: older "+
			"data of as many users may not be noticed", "file", path, "records", damaged)
	}
}

// keepFloors stores changed floors until ctx is done. It has a goroutine of its own, because the
// disk of the file may hang.
func (s *server) keepFloors(ctx context.Context) {
	if err := s.instance.BeginFloors(ctx); err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "not all ledgers could be read: older data of some users may not "+
			"be noticed", "cause", err)
	}
	tick := time.NewTicker(floorsInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.saveFloors(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// saveFloors stores changed floors. A server that cannot do that serves as before: it knows them
// until it ends.
func (s *server) saveFloors(ctx context.Context) {
	if s.instance.Store.ReadOnly() {
		return
	}
	err := s.instance.SaveFloors()
	failed := err != nil
	if s.floorsFailed.Swap(failed) == failed {
		return
	}
	if failed {
		s.log.WarnContext(ctx, "the floors file cannot be written: after a restart, older data "+
			"that is put back may not be noticed", "cause", err)
		return
	}
	s.log.InfoContext(ctx, "the floors file is written again")
}
