package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/spooler"
)

// serveHTTP answers health and metrics until ctx ends. It needs no access control: it
// tells numbers only, and changes nothing.
func (h *Host) serveHTTP(ctx context.Context, l net.Listener) error {
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(&collector{spooler: h.node, catalog: h.catalog})
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		state := h.node.State()
		if state == "starting" || state == "stopping" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = fmt.Fprintln(w, state)
	})
	server := &http.Server{Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, MaxHeaderBytes: 16 << 10}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		_ = server.Close()
	}()
	err := server.Serve(l)
	<-stopped
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// collector reads the figures when it is asked.
type collector struct {
	spooler *spooler.Spooler
	catalog *catalog.Catalog
}

func (c *collector) descriptions() (jobs, up, restarts, incarnation *prometheus.Desc) {
	return prometheus.NewDesc("spoolhost_jobs", "Unfinished jobs by state.", []string{"spooler", "state"}, nil),
		prometheus.NewDesc("spoolhost_monitor_up", "1 if the monitor's process runs.", []string{"spooler", "monitor"}, nil),
		prometheus.NewDesc("spoolhost_monitor_restarts_total", "Restarts of the monitor's process since the host started.", []string{"spooler", "monitor"}, nil),
		prometheus.NewDesc("spoolhost_monitor_incarnation", "The running incarnation of the monitor's module.", []string{"spooler", "monitor"}, nil)
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	jobs, up, restarts, incarnation := c.descriptions()
	ch <- jobs
	ch <- up
	ch <- restarts
	ch <- incarnation
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	jobs, up, restarts, incarnation := c.descriptions()
	name := c.spooler.Name()
	for state, n := range c.spooler.Queue().States() {
		ch <- prometheus.MustNewConstMetric(jobs, prometheus.GaugeValue, float64(n), name, string(state))
	}
	for _, m := range c.catalog.List() {
		v, _ := c.spooler.Monitor(m.Name)
		running, life := 0.0, 0.0
		if v.Process != nil {
			running, life = 1, float64(v.Process.Incarnation)
		}
		ch <- prometheus.MustNewConstMetric(up, prometheus.GaugeValue, running, name, m.Name)
		ch <- prometheus.MustNewConstMetric(restarts, prometheus.CounterValue, float64(v.Restarts), name, m.Name)
		ch <- prometheus.MustNewConstMetric(incarnation, prometheus.GaugeValue, life, name, m.Name)
	}
}
