package app

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/store"
)

// metrics are numbers for Prometheus. Labels are routes, states and kinds: never a name that a person or a cluster gave.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
}

func newMetrics(st *store.Store, health func() client.Health) *metrics {
	m := &metrics{registry: prometheus.NewRegistry(), requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "keyturn_request_seconds", Help: "How long requests took, by route and status.",
		Buckets: []float64{.001, .005, .02, .1, .5, 2, 10, 60},
	}, []string{"route", "status"})}
	m.registry.MustRegister(m.requests, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		states{st, health})
	return m
}

// observe takes one request. route is the pattern, not the path.
func (m *metrics) observe(route string, status int, took time.Duration) {
	if route == "" {
		route = "none"
	}
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Observe(took.Seconds())
}

// serve answers /metrics on an address of its own until ctx ends, so that it is not where people are.
func (m *metrics) serve(ctx context.Context, address string) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fault.New(fault.Unavailable, "metrics cannot be served on %s: %w", address, err).WithCure("free the address, or choose another with --metrics-listen")
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	web := &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout, WriteTimeout: readTimeout}
	stop := context.AfterFunc(ctx, func() { _ = web.Close() })
	defer stop()
	if err := web.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// states counts objects by state when it is asked.
type states struct {
	store  *store.Store
	health func() client.Health
}

var (
	objectsDesc = prometheus.NewDesc("keyturn_objects", "Objects by kind and state.", []string{"kind", "state"}, nil)
	sealedDesc  = prometheus.NewDesc("keyturn_sealed", "1 while the server is sealed.", nil, nil)
	// The repository stays restored until a person ends it.
	restoredDesc = prometheus.NewDesc("keyturn_restored", "1 while the repository is one of an old backup, and nothing is changed anywhere.", nil, nil)
)

// Describe implements prometheus.Collector.
func (s states) Describe(out chan<- *prometheus.Desc) {
	out <- objectsDesc
	out <- sealedDesc
	out <- restoredDesc
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// scrapePatience is how long the counts may take.
const scrapePatience = 5 * time.Second

// Collect implements prometheus.Collector.
func (s states) Collect(out chan<- prometheus.Metric) {
	h := s.health()
	out <- prometheus.MustNewConstMetric(sealedDesc, prometheus.GaugeValue, oneIf(h.Sealed))
	out <- prometheus.MustNewConstMetric(restoredDesc, prometheus.GaugeValue, oneIf(h.Restored))
	ctx, cancel := context.WithTimeout(context.Background(), scrapePatience)
	defer cancel()
	o, err := s.store.Overview(ctx, store.Viewer{All: true})
	if err != nil {
		out <- prometheus.NewInvalidMetric(objectsDesc, errors.New("the repository could not be read"))
		return
	}
	for kind, counts := range map[string]map[string]int64{"cluster": o.Clusters, "secret": o.Secrets, "account": o.Accounts, "mapping": o.Mappings, "run": o.Runs} {
		for state, n := range counts {
			out <- prometheus.MustNewConstMetric(objectsDesc, prometheus.GaugeValue, float64(n), kind, state)
		}
	}
}
