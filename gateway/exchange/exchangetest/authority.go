package exchangetest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway/exchange"
)

// Authority issues certificates for tests.
type Authority struct {
	Pair exchange.KeyPair // its own
	Now  time.Time
	t    testing.TB
}

// Keys are made once: making one takes long.
func Keys() [4]*rsa.PrivateKey { return keys() }

var keys = sync.OnceValue(func() (list [4]*rsa.PrivateKey) {
	for i := range list {
		list[i], _ = rsa.GenerateKey(rand.Reader, 2048)
	}
	return list
})

// NewAuthority is the one whose certificates are trusted.
func NewAuthority(t testing.TB, now time.Time) *Authority { return AuthorityOf(t, now, Keys()[0]) }

// AuthorityOf is one with another key.
func AuthorityOf(t testing.TB, now time.Time, key *rsa.PrivateKey) *Authority {
	a := &Authority{t: t, Now: now}
	a.Pair = a.Issue("Test CA", key, x509.KeyUsageCertSign, now.Add(24*time.Hour))
	return a
}

// Issue gives a certificate for a use, valid from an hour ago.
func (a *Authority) Issue(name string, key *rsa.PrivateKey, use x509.KeyUsage, until time.Time) exchange.KeyPair {
	a.t.Helper()
	number, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	must(a.t, err)
	template := &x509.Certificate{
		SerialNumber: number, Subject: pkix.Name{CommonName: name}, NotBefore: a.Now.Add(-time.Hour), NotAfter: until,
		KeyUsage: use, BasicConstraintsValid: true, IsCA: use == x509.KeyUsageCertSign,
	}
	parent, signer := a.Pair.Certificate, a.Pair.Key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	must(a.t, err)
	certificate, err := x509.ParseCertificate(der)
	must(a.t, err)
	return exchange.KeyPair{Certificate: certificate, Key: key}
}

// Roots is what trusts it.
func (a *Authority) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.Pair.Certificate)
	return pool
}
