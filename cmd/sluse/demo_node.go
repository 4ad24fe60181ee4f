package main

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/helseid"
)

// demoWorker is how often the demo looks at the message queues: somebody is watching.
const demoWorker = 50 * time.Millisecond

// node is a whole Sluse that serves while the demo goes on.
type node struct {
	base, admin string
	plant       *plant
	notices     []gateway.Destination
	database    *database
	cancel      context.CancelFunc
	done        chan struct{}
	err         error // of serving; readable when done is closed
}

// start makes database, keys, issuer and everything above them in a directory, and serves. The
// ledger's checkpoints lie beside the database, not in it.
func (d demoCommand) start(ctx context.Context, dir string, log *slog.Logger) (_ *node, err error) {
	if err := makeKeys(filepath.Join(dir, "keys"), "sluse.demo", rand.Reader); err != nil {
		return nil, err
	}
	keys, err := readKeys(filepath.Join(dir, "keys"))
	if err != nil {
		return nil, err
	}
	n := &node{done: make(chan struct{})}
	entries := make([]destinationEntry, len(d.Notify))
	for i, u := range d.Notify {
		entries[i].URL = u
	}
	if n.notices, err = destinations(entries, true); err != nil {
		return nil, err
	}
	if n.database, err = (databaseEntry{Data: filepath.Join(dir, "database")}).open(ctx, log); err != nil {
		return nil, err
	}
	public, admin, err := listen(ctx, d.Listen, d.Admin)
	if err != nil {
		return nil, errors.Join(err, n.database.stop(ctx))
	}
	n.base, n.admin = "http://"+public.Addr().String(), "http://"+admin.Addr().String()
	if n.plant, err = n.assemble(ctx, dir, keys, log); err != nil {
		return nil, errors.Join(err, public.Close(), admin.Close(), n.database.stop(ctx))
	}
	n.serve(ctx, public, admin)
	return n, nil
}

func (n *node) assemble(ctx context.Context, dir string, keys keySet, log *slog.Logger) (*plant, error) {
	issuer, err := helseid.NewIssuer(helseid.IssuerConfig{Clock: time.Now, Rand: rand.Reader, URL: n.base + "/demo"})
	if err != nil {
		return nil, err
	}
	return assemble(ctx, parts{
		dsn: n.database.dsn, migrate: true, keys: keys, checkpoints: filepath.Join(dir, "checkpoints"),
		base: n.base + "/fhir", tokens: issuer.Verifier(), issuer: issuer, worker: demoWorker, notices: n.notices,
		clock: time.Now, random: rand.Reader, log: log,
	})
}

// serve begins to answer. Serving ends with stop, or when a listener or the database does.
func (n *node) serve(ctx context.Context, public, admin net.Listener) {
	ctx, n.cancel = context.WithCancel(ctx)
	go func() {
		defer close(n.done)
		n.err = n.plant.serveWith(ctx, n.database, public, admin)
	}()
}

// wait waits until serving ends.
func (n *node) wait() error {
	<-n.done
	return n.err
}

// stop ends serving, then the database.
func (n *node) stop() error {
	n.cancel()
	<-n.done
	n.plant.close()
	return errors.Join(n.err, n.database.stop(context.Background()))
}
