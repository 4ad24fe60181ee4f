package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/helseid"
)

// configuration is the file of sluse serve, in YAML or JSON. Unknown names are refused.
type configuration struct {
	Listen      string        `yaml:"listen"`      // address of the API; default 127.0.0.1:8080
	Admin       string        `yaml:"admin"`       // address of health, readiness and metrics; default 127.0.0.1:8081
	Base        string        `yaml:"base"`        // absolute FHIR base as clients write it: https://host/fhir
	Keys        string        `yaml:"keys"`        // directory of hash.key, seal.key and checkpoint.key
	Checkpoints string        `yaml:"checkpoints"` // directory for the signed checkpoints of the ledger, outside the database's
	Database    databaseEntry `yaml:"database"`
	Issuer      issuerEntry   `yaml:"issuer"`
	Export      exportEntry   `yaml:"export"` // bounds of bulk exports
	// Addresses is a file of parties, their services and what each receives, in the shape of Adresseregisteret's data; it is
	// read at start. Default: the directory is kept over FHIR alone.
	Addresses string `yaml:"addresses"`
	// Fetch tells by when a message must be fetched after its positive AppRec, by type: LOG_: 2h, EPIKRISE: 8h. A name
	// that ends in _ is all types that begin so; default is the rest.
	Fetch map[string]time.Duration `yaml:"fetch"`
	// Referral20 is the XML namespace that henvisning v2.0 is written under. Default: v2.0 is read and not written, since its
	// namespace is not confirmed.
	Referral20 string `yaml:"henvisning20"`
	// Origins are the web applications, https://host[:port], that a browser may let read the answers. Default: none.
	Origins []string `yaml:"origins"`
	// Notifications lists where subscribers may be notified. Default: nowhere.
	Notifications []destinationEntry `yaml:"notifications"`
	// Transports are the ways to parties outside. Default: none; every party comes to /edi itself.
	Transports []transportEntry `yaml:"transports"`
}

// destinationEntry is one place to which notifications may go.
type destinationEntry struct {
	URL      string         `yaml:"url"`      // https://host[:port][/path]: that origin exactly, and what lies under the path
	Networks []netip.Prefix `yaml:"networks"` // addresses that are not public and that the host may have: 10.20.0.0/16
}

// destinations reads the places; loopback allows http to the machine itself.
func destinations(entries []destinationEntry, loopback bool) (list []gateway.Destination, err error) {
	var faults []error
	for i, e := range entries {
		d, err := gateway.NewDestination(e.URL, e.Networks, loopback)
		if err != nil {
			faults = append(faults, fmt.Errorf("notifications[%d].url: %w", i, err))
		}
		list = append(list, d)
	}
	return list, errors.Join(faults...)
}

// databaseEntry says where the records are: a server of one's own, or a private one.
type databaseEntry struct {
	DSN         string `yaml:"dsn"`         // connection string of libpq
	DSNFile     string `yaml:"dsnFile"`     // file that holds it, for secrets
	Data        string `yaml:"data"`        // directory of a private PostgreSQL, instead of a connection string
	Binaries    string `yaml:"binaries"`    // directory of its initdb and postgres; default: found
	Connections int32  `yaml:"connections"` // default 16
}

// issuerEntry says whose tokens are taken.
type issuerEntry struct {
	URL           string              `yaml:"url"`      // exact value of iss
	Audience      string              `yaml:"audience"` // exact value of aud; default oslo:sluse
	JWKS          string              `yaml:"jwks"`     // file with the issuer's public keys
	Token         string              `yaml:"token"`    // token endpoint that clients are told of; default url/connect/token
	Organizations []organizationEntry `yaml:"organizations"`
}

// organizationEntry binds the organisation numbers of a token to a party.
type organizationEntry struct {
	Parent gateway.OrgNumber `yaml:"parent"`
	Child  gateway.OrgNumber `yaml:"child"`
	HERID  gateway.HERID     `yaml:"herId"`
}

// readConfiguration reads the file and tells everything that is wrong with it at once.
func readConfiguration(path string) (configuration, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return configuration{}, err
	}
	c := configuration{Listen: "127.0.0.1:8080", Admin: "127.0.0.1:8081", Issuer: issuerEntry{Audience: "oslo:sluse"}}
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	decoder.KnownFields(true)
	if err := decoder.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return configuration{}, fmt.Errorf("%s: %w", path, err)
	}
	if err := c.validate(); err != nil {
		return configuration{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// fetchLimits reads the limits of fetching.
func (c configuration) fetchLimits() gateway.FetchLimits {
	limits := gateway.FetchLimits{}
	for kind, d := range c.Fetch {
		if kind == "default" {
			kind = ""
		}
		limits[kind] = d
	}
	return limits
}

func (c configuration) validate() error {
	var faults []error
	for kind, d := range c.Fetch {
		if d <= 0 {
			faults = append(faults, fmt.Errorf("fetch.%s must be above zero", kind))
		}
	}
	for _, field := range []struct{ name, value string }{
		{"base", c.Base}, {"keys", c.Keys}, {"checkpoints", c.Checkpoints},
		{"issuer.url", c.Issuer.URL}, {"issuer.jwks", c.Issuer.JWKS},
	} {
		if field.value == "" {
			faults = append(faults, fmt.Errorf("%s is missing", field.name))
		}
	}
	if c.Base != "" {
		if u, err := url.Parse(c.Base); err != nil || u.Host == "" || u.Path != "/fhir" || u.RawQuery != "" {
			faults = append(faults, errors.New("base must be absolute and end in /fhir"))
		}
	}
	if u, err := url.Parse(c.Referral20); c.Referral20 != "" && (err != nil || !u.IsAbs() || u.Host == "") {
		faults = append(faults, errors.New("henvisning20 must be an absolute URI: the namespace"))
	}
	if _, err := destinations(c.Notifications, false); err != nil {
		faults = append(faults, err)
	}
	if err := validateTransports(c.Transports); err != nil {
		faults = append(faults, err)
	}
	if err := c.Export.validate(); err != nil {
		faults = append(faults, err)
	}
	if err := c.Database.validate(); err != nil {
		faults = append(faults, err)
	}
	if len(c.Issuer.Organizations) == 0 {
		faults = append(faults, errors.New("issuer.organizations is missing: no token would be let in"))
	}
	for i, o := range c.Issuer.Organizations {
		if o.Parent == "" || o.HERID == "" {
			faults = append(faults, fmt.Errorf("issuer.organizations[%d] needs parent and herId", i))
		}
	}
	return errors.Join(faults...)
}

// origin names the ledger in its checkpoints: the host of the base.
func (c configuration) origin() string {
	u, err := url.Parse(c.Base)
	if err != nil { // readConfiguration has parsed it
		return "sluse"
	}
	return u.Hostname()
}

func (d databaseEntry) validate() error {
	given := 0
	for _, s := range []string{d.DSN, d.DSNFile, d.Data} {
		if s != "" {
			given++
		}
	}
	if given != 1 {
		return errors.New("database needs exactly one of dsn, dsnFile and data")
	}
	return nil
}

// connection gives the connection string of a server of one's own.
func (d databaseEntry) connection() (string, error) {
	if d.DSNFile == "" {
		return d.DSN, nil
	}
	raw, err := os.ReadFile(d.DSNFile)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(raw)), nil
}

// party finds the party of a token's organisation: an exact match of both numbers.
func (i issuerEntry) party(o helseid.Organization) (gateway.HERID, bool) {
	for _, known := range i.Organizations {
		if known.Parent == o.Parent && known.Child == o.Child {
			return known.HERID, true
		}
	}
	return "", false
}
