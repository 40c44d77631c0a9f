package server

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what the operator's Prometheus reads. No label contains text that a user chose.
type metrics struct {
	registry  *prometheus.Registry
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec

	mu     sync.RWMutex
	series map[answer]recorded
}

// An answer is what is counted as one.
type answer struct {
	route, method string
	status        int
}

// recorded is where answers are counted, which takes long to look up by labels.
type recorded struct {
	requests  prometheus.Counter
	durations prometheus.Observer
}

// newMetrics returns metrics of requests, of the store's updates and commits, of lines that were
// not logged, and of the process.
func newMetrics(stats func() (updates, commits uint64), lostLines func() uint64) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		series:   map[answer]recorded{},
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "keysake_http_requests_total",
			Help: "Answers, by the route's pattern, method and status.",
		}, []string{"route", "method", "status"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "keysake_http_request_duration_seconds",
			Help: "Time from a request's headers to its answer.",
			Buckets: []float64{
				.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10,
			},
		}, []string{"route", "method"}),
	}
	m.registry.MustRegister(
		m.requests,
		m.durations,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewBuildInfoCollector(),
	)
	m.count("keysake_store_updates_total", "Updates that were made durable.",
		func() uint64 { updates, _ := stats(); return updates })
	m.count("keysake_store_commits_total",
		"Commits that made them durable; many updates share one.",
		func() uint64 { _, commits := stats(); return commits })
	m.count("keysake_log_lines_lost_total", "Lines of the log that standard error did not take.",
		lostLines)
	return m
}

// count adds a counter whose value is asked for when the metrics are read.
func (m *metrics) count(name, help string, value func() uint64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(
		prometheus.CounterOpts{Name: name, Help: help},
		func() float64 { return float64(value()) }))
}

// gauge adds a gauge whose value is asked for when the metrics are read: -1 if it is unknown.
func (m *metrics) gauge(name, help string, value func(context.Context) (float64, error)) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(
		prometheus.GaugeOpts{Name: name, Help: help},
		func() float64 {
			ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
			defer cancel()
			v, err := value(ctx)
			if err != nil {
				return -1
			}
			return v
		}))
}

func (m *metrics) observe(route, method string, status int, took time.Duration) {
	of := answer{route, method, status}
	m.mu.RLock()
	in, known := m.series[of]
	m.mu.RUnlock()
	if !known {
		in = recorded{
			m.requests.WithLabelValues(route, method, strconv.Itoa(status)),
			m.durations.WithLabelValues(route, method),
		}
		m.mu.Lock()
		m.series[of] = in
		m.mu.Unlock()
	}
	in.requests.Inc()
	in.durations.Observe(took.Seconds())
}

// handler serves the metrics.
func (m *metrics) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics",
		promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry}))
	return mux
}
