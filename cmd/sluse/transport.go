package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/Azure/go-amqp"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/exchange"
)

// transportEntry is one way to parties outside: exactly one of msh, spool and amqp.
type transportEntry struct {
	Name      string          `yaml:"name"`      // in ledger and log
	Receivers []gateway.HERID `yaml:"receivers"` // HER-ids outside, of parties and services, that it reaches
	MSH       *mshEntry       `yaml:"msh"`       // a message service in the shape of NHN's MSH API v2
	Spool     string          `yaml:"spool"`     // a directory with in/ and out/
	AMQP      *amqpEntry      `yaml:"amqp"`      // queues as helsenorge has them
}

// mshEntry is a message service that is asked as a client.
type mshEntry struct {
	Base      string          `yaml:"base"`      // absolute address above /Messages
	Mailboxes []gateway.HERID `yaml:"mailboxes"` // our HER-ids whose mailboxes lie there
	Tokens    string          `yaml:"tokens"`    // directory of HERID.token: access tokens, kept fresh by something else
}

// amqpEntry is a broker of AMQP 1.0. Certificates and keys are files in PEM.
type amqpEntry struct {
	Address      string          `yaml:"address"`      // amqps://host
	Prefix       string          `yaml:"prefix"`       // of the names of queues as the broker has them
	User         string          `yaml:"user"`         // default: anonymous
	PasswordFile string          `yaml:"passwordFile"` //
	Mine         []gateway.HERID `yaml:"mine"`         // our HER-ids, whose queues are read
	Sign         pairEntry       `yaml:"sign"`         // what is sent is signed by it
	Decrypt      []pairEntry     `yaml:"decrypt"`      // what comes is encrypted for one of them
	Roots        string          `yaml:"roots"`        // who may have issued the others' certificates
	Peers        string          `yaml:"peers"`        // directory of HERID.pem: the certificates of each receiver
}

type pairEntry struct {
	Certificate string `yaml:"certificate"` // with its chain
	Key         string `yaml:"key"`
}

// validateTransports tells what is wrong without opening anything: each party outside is reached one way.
func validateTransports(entries []transportEntry) error {
	var faults []error
	reached := map[gateway.HERID]string{}
	for i, e := range entries {
		given := 0
		for _, there := range []bool{e.MSH != nil, e.Spool != "", e.AMQP != nil} {
			if there {
				given++
			}
		}
		if e.Name == "" || len(e.Receivers) == 0 || given != 1 {
			faults = append(faults, fmt.Errorf("transports[%d] needs name, receivers and exactly one of msh, spool and amqp", i))
		}
		if e.MSH != nil && !secure(e.MSH.Base, "https") || e.AMQP != nil && !secure(e.AMQP.Address, "amqps") {
			faults = append(faults, fmt.Errorf("transports[%d]: the address must be encrypted, or of this machine", i))
		}
		for _, id := range e.Receivers {
			if by, twice := reached[id]; twice {
				faults = append(faults, fmt.Errorf("transports[%d]: %s is reached by %s already", i, id, by))
			}
			reached[id] = e.Name
		}
	}
	return errors.Join(faults...)
}

func secure(address, scheme string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == scheme || net.ParseIP(u.Hostname()).IsLoopback())
}

// carriage is a transport with its route, and what gives it back.
type carriage struct {
	route     gateway.Route
	transport exchange.Transport
	close     func() error
}

// carriages opens the transports. What was opened is closed again when one cannot be.
func carriages(entries []transportEntry, clock func() time.Time) (list []carriage, err error) {
	for _, e := range entries {
		c := carriage{route: gateway.Route{Name: e.Name, HERIDs: e.Receivers}, close: func() error { return nil }}
		var closer io.Closer
		switch {
		case e.MSH != nil:
			c.transport, err = e.MSH.open()
		case e.AMQP != nil:
			var q *exchange.Queue
			if q, err = e.AMQP.open(clock); err == nil {
				c.transport, closer = q, q
			}
		default:
			var s *exchange.Spool
			if s, err = exchange.OpenSpool(e.Spool); err == nil {
				c.transport, closer = s, s
			}
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("transport %s: %w", e.Name, err), closeAll(list))
		}
		if closer != nil {
			c.close = closer.Close
		}
		list = append(list, c)
	}
	return list, nil
}

// carry makes a carrier of each transport.
func (pl *plant) carry() error {
	for _, c := range pl.parts.carriages {
		carrier, err := exchange.NewCarrier(exchange.CarrierConfig{
			Gateway: pl.gateway, Transport: c.transport, Route: c.route, Interval: pl.parts.worker, Log: pl.parts.log,
		})
		if err != nil {
			return err
		}
		pl.carriers = append(pl.carriers, carrier)
	}
	return nil
}

func closeAll(list []carriage) error {
	var failed []error
	for _, c := range list {
		failed = append(failed, c.close())
	}
	return errors.Join(failed...)
}

func (e mshEntry) open() (*exchange.Client, error) {
	return exchange.NewClient(exchange.ClientConfig{
		Base: e.Base, Mailboxes: e.Mailboxes,
		Authorize: func(r *http.Request, as gateway.HERID) error {
			token, err := os.ReadFile(filepath.Join(e.Tokens, string(as)+".token"))
			if err != nil {
				return err
			}
			r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
			return nil
		},
	})
}

func (e amqpEntry) open(clock func() time.Time) (*exchange.Queue, error) {
	signing, err := e.Sign.load()
	if err != nil {
		return nil, err
	}
	c := exchange.SealConfig{Signing: signing, Roots: x509.NewCertPool(), Clock: clock, Peer: e.peer}
	for _, p := range e.Decrypt {
		pair, err := p.load()
		if err != nil {
			return nil, err
		}
		c.Encryption = append(c.Encryption, pair)
	}
	roots, err := certificates(e.Roots)
	if err != nil {
		return nil, err
	}
	for _, root := range roots {
		c.Roots.AddCert(root)
	}
	seal, err := exchange.NewSeal(c)
	if err != nil {
		return nil, err
	}
	options := &amqp.ConnOptions{SASLType: amqp.SASLTypeAnonymous()}
	if e.User != "" {
		password, err := os.ReadFile(e.PasswordFile)
		if err != nil {
			return nil, err
		}
		options.SASLType = amqp.SASLTypePlain(e.User, strings.TrimSpace(string(password)))
	}
	return exchange.NewQueue(exchange.QueueConfig{Address: e.Address, Options: options, Prefix: e.Prefix, Mine: e.Mine, Seal: seal, Clock: clock})
}

func (p pairEntry) load() (exchange.KeyPair, error) {
	pair, err := tls.LoadX509KeyPair(p.Certificate, p.Key)
	if err != nil {
		return exchange.KeyPair{}, err
	}
	loaded := exchange.KeyPair{Certificate: pair.Leaf, Key: pair.PrivateKey}
	for _, der := range pair.Certificate[1:] {
		above, err := x509.ParseCertificate(der)
		if err != nil {
			return exchange.KeyPair{}, err
		}
		loaded.Chain = append(loaded.Chain, above)
	}
	return loaded, nil
}

// peer reads the certificates of a receiver: those for signing, and the last one for encryption.
func (e amqpEntry) peer(id gateway.HERID) (p exchange.Peer, err error) {
	list, err := certificates(filepath.Join(e.Peers, string(id)+".pem"))
	if errors.Is(err, os.ErrNotExist) {
		return p, gateway.Failed("transport.peer", gateway.NotFound, err)
	}
	for _, c := range list {
		if c.KeyUsage&x509.KeyUsageKeyEncipherment != 0 {
			p.Encryption = c
		}
		if c.KeyUsage&(x509.KeyUsageContentCommitment|x509.KeyUsageDigitalSignature) != 0 {
			p.Signing = append(p.Signing, c)
		}
	}
	return p, err
}

// certificates reads those of a file.
func certificates(path string) (list []*x509.Certificate, err error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, errors.New("a file of certificates holds none")
	}
	return list, nil
}
