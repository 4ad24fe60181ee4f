package exchange_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/smallstep/pkcs7"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/exchange"
)

// authority issues certificates for tests.
type authority struct {
	t    testing.TB
	pair exchange.KeyPair
	now  time.Time
}

// keys are made once: making one takes long.
var keys = sync.OnceValue(func() (list [4]*rsa.PrivateKey) {
	for i := range list {
		list[i], _ = rsa.GenerateKey(rand.Reader, 2048)
	}
	return list
})

func newAuthority(t testing.TB, now time.Time) *authority { return authorityOf(t, now, keys()[0]) }

func authorityOf(t testing.TB, now time.Time, key *rsa.PrivateKey) *authority {
	a := &authority{t: t, now: now}
	a.pair = a.issue("Test CA", key, x509.KeyUsageCertSign, now.Add(24*time.Hour))
	return a
}

func (a *authority) issue(name string, key *rsa.PrivateKey, use x509.KeyUsage, until time.Time) exchange.KeyPair {
	a.t.Helper()
	number, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	must(a.t, err)
	template := &x509.Certificate{
		SerialNumber: number, Subject: pkix.Name{CommonName: name}, NotBefore: a.now.Add(-time.Hour), NotAfter: until,
		KeyUsage: use, BasicConstraintsValid: true, IsCA: use == x509.KeyUsageCertSign,
	}
	parent, signer := a.pair.Certificate, a.pair.Key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	must(a.t, err)
	certificate, err := x509.ParseCertificate(der)
	must(a.t, err)
	return exchange.KeyPair{Certificate: certificate, Key: key}
}

func (a *authority) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.pair.Certificate)
	return pool
}

// seals are those of the bydel and of the GP.
func (a *authority) seals() (ours, theirs *exchange.Seal) {
	a.t.Helper()
	const sign, open = x509.KeyUsageContentCommitment, x509.KeyUsageKeyEncipherment
	until := a.now.Add(12 * time.Hour)
	signing := map[gateway.HERID]exchange.KeyPair{bydel: a.issue("bydel", keys()[1], sign, until), gp: a.issue("gp", keys()[2], sign, until)}
	opening := map[gateway.HERID]exchange.KeyPair{bydel: a.issue("bydel", keys()[1], open, until), gp: a.issue("gp", keys()[2], open, until)}
	peer := func(id gateway.HERID) (exchange.Peer, error) {
		if _, ok := signing[id]; !ok {
			return exchange.Peer{}, gateway.Fault("test", gateway.NotFound)
		}
		return exchange.Peer{Signing: []*x509.Certificate{signing[id].Certificate}, Encryption: opening[id].Certificate}, nil
	}
	var list []*exchange.Seal
	for _, id := range []gateway.HERID{bydel, gp} {
		s, err := exchange.NewSeal(exchange.SealConfig{
			Signing: signing[id], Encryption: []exchange.KeyPair{opening[id]}, Roots: a.roots(), Peer: peer, Clock: func() time.Time { return a.now },
		})
		must(a.t, err)
		list = append(list, s)
	}
	return list[0], list[1]
}

// TestSeal: what is sealed for the receiver is opened by it alone, with the sender's own signature, and is
// not readable on the way.
func TestSeal(t *testing.T) {
	a := newAuthority(t, time.Now())
	ours, theirs := a.seals()
	document := bytes.Repeat([]byte("<MsgHead>kanari-forseglet</MsgHead>"), 1000)
	sealed, err := ours.Close(document, gp)
	must(t, err)
	if bytes.Contains(sealed, []byte("kanari")) {
		t.Error("it can be read on the way")
	}
	opened, err := theirs.Open(sealed, bydel)
	must(t, err)
	if !bytes.Equal(opened, document) {
		t.Error("it is not what was sealed")
	}
	if _, err := ours.Open(sealed, bydel); err == nil {
		t.Error("another than the receiver opens it")
	}
	if _, err := ours.Close(document, stray); err == nil {
		t.Error("it is sealed for nobody")
	}
}

// TestSealRefuses: a signature of another, of nobody we trust, out of time or for another use, and a content that
// was changed, are not opened.
func TestSealRefuses(t *testing.T) {
	a := newAuthority(t, time.Now())
	ours, theirs := a.seals()
	document := []byte("<MsgHead/>")
	sealed, err := ours.Close(document, gp)
	must(t, err)
	if _, err := theirs.Open(sealed, gp); err == nil {
		t.Error("the bydel's signature passes for the GP's own")
	}
	changed := bytes.Clone(sealed)
	changed[len(changed)-40] ^= 1
	if _, err := theirs.Open(changed, bydel); err == nil {
		t.Error("a changed content is opened")
	}
	peer, err := ours.Peer(gp)
	must(t, err)
	unsigned, err := pkcs7.Encrypt(document, []*x509.Certificate{peer.Encryption})
	must(t, err)
	if _, err := theirs.Open(unsigned, bydel); err == nil {
		t.Error("what nobody has signed is opened")
	}
	other := authorityOf(t, a.now, keys()[3])
	for name, pair := range map[string]exchange.KeyPair{
		"of a root that is not trusted": other.issue("bydel", keys()[3], x509.KeyUsageContentCommitment, a.now.Add(time.Hour)),
		"expired":                       a.issue("bydel", keys()[3], x509.KeyUsageContentCommitment, a.now.Add(-time.Minute)),
		"not for signing":               a.issue("bydel", keys()[3], x509.KeyUsageKeyEncipherment, a.now.Add(time.Hour)),
		"not in the address register":   a.issue("bydel", keys()[3], x509.KeyUsageContentCommitment, a.now.Add(time.Hour)),
	} {
		t.Run(name, func(t *testing.T) {
			register := theirs.Peer
			defer func() { theirs.Peer = register }()
			theirs.Peer = func(id gateway.HERID) (exchange.Peer, error) {
				p, err := register(id)
				if name != "not in the address register" {
					p.Signing = append(p.Signing, pair.Certificate)
				}
				return p, err
			}
			signed, err := pkcs7.NewSignedData(document)
			must(t, err)
			signed.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA256)
			must(t, signed.AddSigner(pair.Certificate, pair.Key, pkcs7.SignerInfoConfig{}))
			inner, err := signed.Finish()
			must(t, err)
			sealed, err := pkcs7.Encrypt(inner, []*x509.Certificate{peer.Encryption})
			must(t, err)
			if _, err := theirs.Open(sealed, bydel); err == nil {
				t.Errorf("a certificate %s is taken", name)
			}
		})
	}
}

// TestSealConfig: a certificate for another use is refused when it is wired.
func TestSealConfig(t *testing.T) {
	a := newAuthority(t, time.Now())
	ours, _ := a.seals()
	c := ours.SealConfig
	c.Signing = c.Encryption[0]
	if _, err := exchange.NewSeal(c); err == nil {
		t.Error("a certificate for encryption is taken to sign with")
	}
}
