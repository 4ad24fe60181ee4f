package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwk"

	"github.com/sluse/sluse/gateway/exchange"
	"github.com/sluse/sluse/gateway/helseid"
)

// serveCommand serves FHIR and messages until it is told to stop.
type serveCommand struct {
	Config string `required:"" type:"existingfile" placeholder:"FILE" help:"Configuration in YAML or JSON."`
}

// Run serves. It ends with an error when a listener or the private PostgreSQL does, so that what
// supervises it starts it anew.
func (c serveCommand) Run(ctx context.Context, s streams, log *slog.Logger) (err error) {
	settings, err := readConfiguration(c.Config)
	if err != nil {
		return err
	}
	keys, err := readKeys(settings.Keys)
	if err != nil {
		return err
	}
	tokens, err := settings.Issuer.verifier()
	if err != nil {
		return err
	}
	addresses, err := settings.addresses()
	if err != nil {
		return err
	}
	notices, err := destinations(settings.Notifications, false)
	if err != nil {
		return err
	}
	ways, err := carriages(settings.Transports, time.Now) //nolint:forbidigo // here the clock is chosen
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeAll(ways)) }()
	db, err := settings.Database.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.stop(ctx)) }()
	pl, err := assemble(ctx, parts{
		dsn: db.dsn, connections: settings.Database.Connections, keys: keys,
		checkpoints: settings.Checkpoints, base: settings.Base, origins: settings.Origins, tokens: tokens, tokenEndpoint: settings.Issuer.Token, notices: notices, exports: settings.Export.limits(), fetch: settings.fetchLimits(),
		translator: exchange.Translator{Referral20: settings.Referral20},
		carriages:  ways,
		clock:      time.Now, random: rand.Reader, log: log, //nolint:forbidigo // here the clock is chosen
	})
	if err != nil {
		return err
	}
	defer pl.close()
	if err := addresses.install(ctx, pl.gateway, settings.Base, log); err != nil {
		return fmt.Errorf("%s: %w", settings.Addresses, err)
	}
	public, admin, err := listen(ctx, settings.Listen, settings.Admin)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "ready: %s (admin: %s)\n", public.Addr(), admin.Addr())
	return pl.serveWith(ctx, db, public, admin)
}

// serveWith serves as long as the database is there.
func (pl *plant) serveWith(ctx context.Context, db *database, public, admin net.Listener) error {
	return pl.serve(ctx, db.lost(), public, admin)
}

// listen opens both listeners.
func listen(ctx context.Context, public, admin string) (net.Listener, net.Listener, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", public)
	if err != nil {
		return nil, nil, err
	}
	a, err := config.Listen(ctx, "tcp", admin)
	if err != nil {
		return nil, nil, errors.Join(err, l.Close())
	}
	return l, a, nil
}

// verifier says whose tokens are taken, by the keys of a file.
func (i issuerEntry) verifier() (helseid.Config, error) {
	raw, err := os.ReadFile(i.JWKS)
	if err != nil {
		return helseid.Config{}, err
	}
	keys, err := jwk.Parse(raw)
	if err != nil {
		return helseid.Config{}, fmt.Errorf("%s holds no key set", i.JWKS)
	}
	return helseid.Config{
		Issuer: i.URL, Audience: i.Audience, Keys: keys, Party: i.party, Clock: time.Now, //nolint:forbidigo // here the clock is chosen
	}, nil
}
