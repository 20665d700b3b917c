// Package metrics is what the host tells Prometheus: counters and histograms that the
// packages below feed through hooks, and figures that are read when somebody asks.
//
// Package host imports it. It decides nothing, and holds no figure that would grow with
// what a stranger sends: label values are names of monitors and printers that exist, and
// a printer has figures only once it has had a job.
package metrics

import (
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/spooler"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Metrics are the figures of one host. Its hooks are safe for concurrent use.
type Metrics struct {
	calls    *prometheus.HistogramVec
	timeouts *prometheus.CounterVec
	accepts  prometheus.Histogram
	commits  prometheus.Histogram
	attempts *prometheus.CounterVec
	bytes    *prometheus.CounterVec
	printed  *prometheus.CounterVec
}

// New makes the figures; Handler shows them.
func New() *Metrics {
	const monitor, method, printer, outcome, spoolerName = "monitor", "method", "printer", "outcome", "spooler"
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "spoolhost_" + name, Help: help}, labels)
	}
	durable := prometheus.ExponentialBuckets(0.0005, 2, 14) // 0.5 ms to 4 s
	return &Metrics{
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "spoolhost_monitor_call_duration_seconds", Help: "Calls to a monitor's module, by method.",
			Buckets: []float64{.0005, .001, .005, .01, .05, .1, .5, 1, 5, 10, 30, 60, 180},
		}, []string{monitor, method}),
		timeouts: counter("monitor_call_timeouts_total", "Calls to a monitor's module that did not return by their deadline.", monitor, method),
		accepts: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "spoolhost_job_accept_duration_seconds", Help: "Making a job of a spooled document durable.", Buckets: durable,
		}),
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "spoolhost_store_commit_duration_seconds", Help: "Commits of the store, each of which may carry many changes.", Buckets: durable,
		}),
		attempts: counter("printer_attempts_total", "Ended attempts to print a document, by outcome.", spoolerName, printer, outcome),
		bytes:    counter("printer_sent_bytes_total", "Bytes that monitors took from a printer's documents, also in attempts that failed.", spoolerName, printer),
		printed:  counter("printer_documents_printed_total", "Documents of a printer that were printed.", spoolerName, printer),
	}
}

// Call is told of each call to a module (supervisor.Env.Observed).
func (m *Metrics) Call(module, method string, took time.Duration, err error) {
	m.calls.WithLabelValues(module, method).Observe(took.Seconds())
	if errors.Is(err, spoolerr.TimedOut) {
		m.timeouts.WithLabelValues(module, method).Inc()
	}
}

// Committed is told of each commit of the store (store.Options.Committed).
func (m *Metrics) Committed(took time.Duration) { m.commits.Observe(took.Seconds()) }

// For gives what is told of a spooler's jobs.
func (m *Metrics) For(spoolerName string) spooler.Watcher { return watcher{m, spoolerName} }

type watcher struct {
	*Metrics
	spooler string
}

// Accepted implements spooler.Watcher.
func (m watcher) Accepted(took time.Duration) { m.accepts.Observe(took.Seconds()) }

// Ended implements spooler.Watcher.
func (m watcher) Ended(printer string, r job.Result) {
	m.attempts.WithLabelValues(m.spooler, printer, string(r.Outcome)).Inc()
	m.bytes.WithLabelValues(m.spooler, printer).Add(float64(r.BytesSent))
	if r.Outcome == job.Sent {
		m.printed.WithLabelValues(m.spooler, printer).Inc()
	}
}

// Gone implements spooler.Watcher: what is deleted leaves no figures.
func (m watcher) Gone(printer string) {
	label := prometheus.Labels{"spooler": m.spooler, "printer": printer}
	m.attempts.DeletePartialMatch(label)
	m.bytes.DeletePartialMatch(label)
	m.printed.DeletePartialMatch(label)
}

// SharedDirectory is the figure of the directory that a cluster's nodes share.
func SharedDirectory(usable func() bool) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "spoolhost_shared_directory_up", Help: "1 if this node can write to the directory that its cluster shares.",
	}, func() float64 {
		if usable() {
			return 1
		}
		return 0
	})
}

// Handler answers with the figures of these monitors and of the spoolers that are open here,
// and with more.
func (m *Metrics) Handler(version string, c *catalog.Catalog, spoolers func() []*spooler.Spooler, more ...prometheus.Collector) http.Handler {
	r := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "spoolhost_build_info", Help: "1; the version is in the label.", ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	r.MustRegister(m.calls, m.timeouts, m.accepts, m.commits, m.attempts, m.bytes, m.printed, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&views{catalog: c, spoolers: spoolers})
	r.MustRegister(more...)
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}
