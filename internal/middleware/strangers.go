package middleware

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/time/rate"
)

// Faults of requests without a valid key that are logged, per second and at once. The others are
// counted.
const (
	faultRate  = 1
	faultBurst = 20
)

// Strangers counts the requests without a valid API key that were refused. Anyone can make any
// number of them, so their lines are for debugging, and [Strangers.Report] logs one for all. A nil
// Strangers logs each.
type Strangers struct {
	faults *rate.Limiter

	mu       sync.Mutex
	statuses map[int]uint64
	last     netip.Addr
}

// NewStrangers returns an empty count.
func NewStrangers() *Strangers {
	return &Strangers{
		faults: rate.NewLimiter(faultRate, faultBurst), statuses: map[int]uint64{},
	}
}

// Level returns the level at which a line about a request is logged, which is level unless it is
// one of too many.
func (s *Strangers) Level(req *Request, status int, level slog.Level) slog.Level {
	if s == nil || req.Caller != nil || status < http.StatusBadRequest {
		return level
	}
	if status >= http.StatusInternalServerError && s.faults.Allow() {
		return level
	}
	return slog.LevelDebug
}

func (s *Strangers) count(req *Request, status int) {
	if s == nil || req.Caller != nil || status < http.StatusBadRequest {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statuses[status]++
	s.last = req.Client
}

// Quiet reports whether there is nothing to report.
func (s *Strangers) Quiet() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.statuses) == 0
}

// Report logs how many requests there were since the last report, if there were any.
func (s *Strangers) Report(ctx context.Context, log *slog.Logger) {
	s.mu.Lock()
	statuses, last := s.statuses, s.last
	s.statuses = map[int]uint64{}
	s.mu.Unlock()
	if len(statuses) == 0 {
		return
	}
	var attrs []slog.Attr
	for _, status := range slices.Sorted(maps.Keys(statuses)) {
		attrs = append(attrs, slog.Uint64("status_"+strconv.Itoa(status), statuses[status]))
	}
	attrs = append(attrs, slog.String("last_client", last.String()))
	log.LogAttrs(ctx, slog.LevelInfo, "requests without a valid API key were refused", attrs...)
}
