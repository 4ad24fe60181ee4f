package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/audit"
	"github.com/sluse/sluse/gateway/consent"
	"github.com/sluse/sluse/gateway/console"
	"github.com/sluse/sluse/gateway/exchange"
	"github.com/sluse/sluse/gateway/helseid"
	"github.com/sluse/sluse/gateway/notification"
	"github.com/sluse/sluse/gateway/postgres"
	"github.com/sluse/sluse/gateway/rest"
)

// shutdownTime is how long requests under way, and then the database, may take to end.
const shutdownTime = 10 * time.Second

// parts are what a Sluse is made of, however they were come by: serve reads them from a file, the
// demo makes them.
type parts struct {
	dsn           string // connection string of the database
	migrate       bool   // bring its schema up to date first
	connections   int32  // default of the store
	keys          keySet
	checkpoints   string                // directory for signed checkpoints
	base          string                // absolute FHIR base as clients write it: https://host/fhir
	origins       []string              // web applications that a browser may let read the answers
	tokens        helseid.Config        // whose tokens are taken
	issuer        *helseid.Issuer       // demo only: issues tokens at /demo
	tokenEndpoint string                // of the issuer, for clients; default as HelseID has it
	worker        time.Duration         // between looks at the message queues; default of package exchange
	notices       []gateway.Destination // where subscribers may be notified
	exports       gateway.ExportLimits
	fetch         gateway.FetchLimits
	translator    exchange.Translator
	carriages     []carriage // ways to parties outside
	clock         func() time.Time
	random        io.Reader
	log           *slog.Logger
}

// plant is a whole Sluse but for its listeners.
type plant struct {
	public, admin http.Handler
	gateway       *gateway.Gateway
	store         *postgres.Store
	checkpoints   *checkpoints
	worker        *exchange.Worker
	carriers      []*exchange.Carrier
	notifier      *notification.Worker
	exporter      exporter
	watch         *gateway.Watch
	parts         parts
}

// assemble puts the parts together. On success close must be called.
func assemble(ctx context.Context, p parts) (_ *plant, err error) {
	pl := &plant{parts: p}
	if pl.checkpoints, err = newCheckpoints(p.checkpoints, p.keys.signer, p.clock, p.log); err != nil {
		return nil, err
	}
	origin, err := url.Parse(p.base)
	if err != nil {
		return nil, err
	}
	pl.store, err = postgres.Open(ctx, postgres.Config{
		DSN: p.dsn, HashKey: p.keys.hash, Clock: p.clock, MaxConns: p.connections, Migrate: p.migrate,
		Source: audit.Source{Site: origin.Host}, Log: p.log,
	})
	if err != nil {
		return nil, err
	}
	if err := pl.wire(ctx, origin); err != nil {
		pl.close()
		return nil, err
	}
	return pl, nil
}

// wire makes everything above the store.
func (pl *plant) wire(ctx context.Context, origin *url.URL) error {
	p := pl.parts
	decider, err := consent.NewDecider(ctx, consent.Config{})
	if err != nil {
		return err
	}
	labeller, err := consent.NewLabeller(ctx, 0)
	if err != nil {
		return err
	}
	normalizer, err := consent.NewNormalizer()
	if err != nil {
		return err
	}
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if pl.watch, err = newWatch(ctx, pl.store, decider, p.clock, p.log, metrics); err != nil {
		return err
	}
	pl.gateway, err = gateway.New(gateway.Config{
		Store: pl.watch.Over(), Decider: decider, Labeller: labeller, Normalizer: normalizer,
		Clock: p.clock, Random: p.random, SealKey: p.keys.seal, Log: p.log,
		Notices: gateway.Notices{Base: p.base, Destinations: p.notices}, Exports: p.exports, Fetch: p.fetch,
		Orders: p.translator,
	})
	if err != nil {
		return err
	}
	verifier, err := helseid.New(p.tokens)
	if err != nil {
		return err
	}
	who := authenticator{verifier, origin.Scheme + "://" + origin.Host}
	fhirAPI, err := rest.New(rest.Config{
		Gateway: pl.gateway, Authenticator: who, Base: p.base, Version: version(), Clock: p.clock,
		Random: p.random, Log: p.log, Metrics: metrics, Demo: p.issuer != nil, Origins: p.origins, Tokens: p.tells(),
	})
	if err != nil {
		return err
	}
	messages, err := exchange.Handler(exchange.Config{Gateway: pl.gateway, Authenticator: who, Clock: p.clock, Log: p.log})
	if err != nil {
		return err
	}
	pl.worker, err = exchange.NewWorker(exchange.WorkerConfig{Gateway: pl.gateway, Interval: p.worker, Log: p.log, Translator: p.translator})
	if err != nil {
		return err
	}
	if err := pl.carry(); err != nil {
		return err
	}
	pl.notifier, err = notification.NewWorker(notification.WorkerConfig{
		Gateway: pl.gateway, Courier: notification.NewCourier(notification.Config{}), Interval: p.worker, Log: p.log,
	})
	if err != nil {
		return err
	}
	pl.exporter = exporter{gateway: pl.gateway, interval: p.worker, log: p.log}
	if pl.public, err = pl.routes(fhirAPI, messages, who); err != nil {
		return err
	}
	pl.admin = rest.Admin(rest.AdminConfig{
		Checks: []rest.Check{
			{Name: "store", Test: pl.store.Ready}, {Name: "checkpoints", Test: pl.checkpoints.ready},
			{Name: "rules", Test: pl.watch.Agree, Warns: true},
		},
		Metrics: metrics,
	})
	return nil
}

// routes puts what answers the public beside each other.
func (pl *plant) routes(fhirAPI, messages http.Handler, who authenticator) (switchboard, error) {
	p := pl.parts
	pages, err := console.Handler(console.Config{Gateway: pl.gateway, Authenticator: who, Translator: p.translator, Clock: p.clock, Log: p.log})
	if err != nil {
		return switchboard{}, err
	}
	s := switchboard{fhir: fhirAPI, messages: messages, pages: pages}
	if p.issuer != nil {
		s.issuer = demoIssuer{p.issuer}
	}
	return s, nil
}

// switchboard sends a request to the API it is for. What is for none is refused by that of FHIR.
type switchboard struct{ fhir, messages, pages, issuer http.Handler }

// ServeHTTP looks at the first part of the path only and cleans nothing: a path with tricks in it
// is no path of any API.
func (s switchboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasPrefix(r.URL.Path, "/edi/"):
		s.messages.ServeHTTP(w, r)
	case r.URL.Path == "/console", strings.HasPrefix(r.URL.Path, "/console/"):
		s.pages.ServeHTTP(w, r)
	case strings.HasPrefix(r.URL.Path, "/demo/") && s.issuer != nil:
		s.issuer.ServeHTTP(w, r)
	default:
		s.fhir.ServeHTTP(w, r)
	}
}

// authenticator reads the token of a request for both APIs.
type authenticator struct {
	verifier *helseid.Verifier
	origin   string // scheme and host as clients write them
}

// Authenticate verifies the token.
func (a authenticator) Authenticate(ctx context.Context, r *http.Request) (gateway.Actor, error) {
	return a.verifier.Verify(ctx, helseid.Request{
		Authorization: r.Header.Get("Authorization"), DPoP: r.Header.Get("DPoP"),
		Method: r.Method, URL: a.origin + r.URL.EscapedPath(),
	})
}

// serve answers on both listeners and does the work in the background until ctx ends, a listener
// fails, or lost is closed; then it lets what is under way end.
func (pl *plant) serve(ctx context.Context, lost <-chan struct{}, public, admin net.Listener) error {
	servers := make([]*rest.Server, 2)
	for i, h := range []http.Handler{pl.public, pl.admin} {
		var err error
		if servers[i], err = rest.NewServer(rest.ServerConfig{Handler: h, Clock: pl.parts.clock, Log: pl.parts.log}); err != nil {
			return err
		}
	}
	failed := make(chan error, len(servers)+1)
	var serving sync.WaitGroup
	for i, l := range []net.Listener{public, admin} {
		serving.Go(func() {
			if err := servers[i].Serve(l); err != nil {
				failed <- err
			}
		})
	}
	// Each of these ends after the one whose work it finishes: messages and notices, chain, checkpoint.
	lasting := context.WithoutCancel(ctx)
	var carriers []background
	for _, c := range pl.carriers {
		carriers = append(carriers, begin(lasting, c.Run))
	}
	messages := begin(lasting, pl.worker.Run)
	exports := begin(lasting, pl.exporter.run)
	notices := begin(lasting, pl.notifier.Run)
	watch := begin(lasting, pl.watch.Run)
	checkpoint := begin(lasting, pl.checkpoints.run)
	chain := begin(lasting, func(ctx context.Context) {
		if err := pl.store.Sequence(ctx, pl.checkpoints.advanced); err != nil {
			failed <- err
		}
	})
	var err error
	select {
	case <-ctx.Done():
	case <-lost:
		err = errDatabaseEnded
	case err = <-failed:
	}
	ending, done := context.WithTimeout(lasting, shutdownTime)
	defer done()
	for _, s := range servers {
		err = errors.Join(err, s.Shutdown(ending))
	}
	serving.Wait()
	for _, c := range carriers {
		c.end()
	}
	messages.end()
	exports.end()
	notices.end()
	watch.end()
	pl.drain(lasting)
	chain.end()
	checkpoint.end()
	return err
}

// drain waits until every entry of the ledger has its place in the chain, but no longer than a
// server that is ready would need; what is left is placed at the next start.
func (pl *plant) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for ctx.Err() == nil {
		if lag, err := pl.store.Lag(ctx); err != nil || lag == 0 {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// background is work that goes on until it is told to end.
type background struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func begin(ctx context.Context, work func(context.Context)) background {
	ctx, cancel := context.WithCancel(ctx)
	b := background{cancel, make(chan struct{})}
	go func() {
		defer close(b.done)
		work(ctx)
	}()
	return b
}

// end ends the work and waits for it.
func (b background) end() {
	b.cancel()
	<-b.done
}

var errDatabaseEnded = errors.New("the private PostgreSQL has ended")

// close gives the connections back.
func (pl *plant) close() { pl.store.Close() }
