package exchange_test

import (
	"bytes"
	"crypto/x509"
	"testing"
	"time"

	"github.com/smallstep/pkcs7"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/exchange"
	"github.com/sluse/sluse/gateway/exchange/exchangetest"
)

// seals are those of the bydel and of the GP.
func seals(t testing.TB, a *exchangetest.Authority) (ours, theirs *exchange.Seal) {
	t.Helper()
	const sign, open = x509.KeyUsageContentCommitment, x509.KeyUsageKeyEncipherment
	until := a.Now.Add(12 * time.Hour)
	signing := map[gateway.HERID]exchange.KeyPair{bydel: a.Issue("bydel", exchangetest.Keys()[1], sign, until), gp: a.Issue("gp", exchangetest.Keys()[2], sign, until)}
	opening := map[gateway.HERID]exchange.KeyPair{bydel: a.Issue("bydel", exchangetest.Keys()[1], open, until), gp: a.Issue("gp", exchangetest.Keys()[2], open, until)}
	peer := func(id gateway.HERID) (exchange.Peer, error) {
		if _, ok := signing[id]; !ok {
			return exchange.Peer{}, gateway.Fault("test", gateway.NotFound)
		}
		return exchange.Peer{Signing: []*x509.Certificate{signing[id].Certificate}, Encryption: opening[id].Certificate}, nil
	}
	var list []*exchange.Seal
	for _, id := range []gateway.HERID{bydel, gp} {
		s, err := exchange.NewSeal(exchange.SealConfig{
			Signing: signing[id], Encryption: []exchange.KeyPair{opening[id]}, Roots: a.Roots(), Peer: peer, Clock: func() time.Time { return a.Now },
		})
		must(t, err)
		list = append(list, s)
	}
	return list[0], list[1]
}

// TestSeal: what is sealed for the receiver is opened by it alone, with the sender's own signature, and is
// not readable on the way.
func TestSeal(t *testing.T) {
	a := exchangetest.NewAuthority(t, time.Now())
	ours, theirs := seals(t, a)
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
	a := exchangetest.NewAuthority(t, time.Now())
	ours, theirs := seals(t, a)
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
	other := exchangetest.AuthorityOf(t, a.Now, exchangetest.Keys()[3])
	for name, pair := range map[string]exchange.KeyPair{
		"of a root that is not trusted": other.Issue("bydel", exchangetest.Keys()[3], x509.KeyUsageContentCommitment, a.Now.Add(time.Hour)),
		"expired":                       a.Issue("bydel", exchangetest.Keys()[3], x509.KeyUsageContentCommitment, a.Now.Add(-time.Minute)),
		"not for signing":               a.Issue("bydel", exchangetest.Keys()[3], x509.KeyUsageKeyEncipherment, a.Now.Add(time.Hour)),
		"not in the address register":   a.Issue("bydel", exchangetest.Keys()[3], x509.KeyUsageContentCommitment, a.Now.Add(time.Hour)),
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
	a := exchangetest.NewAuthority(t, time.Now())
	ours, _ := seals(t, a)
	c := ours.SealConfig
	c.Signing = c.Encryption[0]
	if _, err := exchange.NewSeal(c); err == nil {
		t.Error("a certificate for encryption is taken to sign with")
	}
}
