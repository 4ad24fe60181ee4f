package exchange

import (
	"crypto"
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"github.com/smallstep/pkcs7"

	"github.com/sluse/sluse/gateway"
)

// The library takes its cipher from a variable of the package, and DES when nobody sets it.
func init() { pkcs7.ContentEncryptionAlgorithm = pkcs7.EncryptionAlgorithmAES256CBC }

// KeyPair is a virksomhetssertifikat with its private key.
type KeyPair struct {
	Certificate *x509.Certificate
	Key         crypto.PrivateKey
	Chain       []*x509.Certificate // intermediates, sent along with a signature
}

// Peer is what the address register holds of another party's certificates.
type Peer struct {
	Signing    []*x509.Certificate // those that it may have signed with
	Encryption *x509.Certificate   // the one to encrypt for
}

// SealConfig wires a Seal. Every field is required.
type SealConfig struct {
	Signing    KeyPair   // key usage nonRepudiation or digitalSignature
	Encryption []KeyPair // key usage keyEncipherment: the present one first, and earlier ones that may still be in use
	Roots      *x509.CertPool
	Peer       func(id gateway.HERID) (Peer, error) // NotFound: the address register holds none
	Clock      func() time.Time
}

// Seal signs documents and encrypts them for one receiver, and opens what was sealed for us: CMS, signed
// and then enveloped, as helsenorge has it (application/pkcs7-mime; smime-type=signed-and-enveloped-data).
// Revocation is not asked for.
type Seal struct{ SealConfig }

// NewSeal checks the wiring and tells all that is wrong at once.
func NewSeal(c SealConfig) (*Seal, error) {
	var faults []error
	if c.Roots == nil || c.Peer == nil || c.Clock == nil {
		faults = append(faults, errors.New("exchange: a seal needs Roots, Peer and Clock"))
	}
	if c.Signing.Certificate == nil || c.Signing.Key == nil || !signs(c.Signing.Certificate) {
		faults = append(faults, errors.New("exchange: the certificate to sign with is missing, or is not for signing"))
	}
	if len(c.Encryption) == 0 || slices.ContainsFunc(c.Encryption, func(p KeyPair) bool {
		return p.Certificate == nil || p.Key == nil || !enciphers(p.Certificate)
	}) {
		faults = append(faults, errors.New("exchange: a certificate to decrypt with is missing, or is not for encryption"))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return &Seal{c}, nil
}

func signs(c *x509.Certificate) bool {
	return c.KeyUsage&(x509.KeyUsageContentCommitment|x509.KeyUsageDigitalSignature) != 0
}

func enciphers(c *x509.Certificate) bool { return c.KeyUsage&x509.KeyUsageKeyEncipherment != 0 }

// sealFault is why a sealed document could not be opened, or one not be sealed: a condition of
// helsenorge's error queue.
type sealFault struct {
	condition string
	cause     error
}

func (f sealFault) Error() string {
	if f.cause == nil {
		return f.condition
	}
	return f.condition + ": " + f.cause.Error()
}

func (f sealFault) Unwrap() error { return f.cause }

// The conditions that concern certificates and signatures.
const (
	conditionMissing = "transport:missing-certificate"
	conditionExpired = "transport:expired-certificate"
	conditionInvalid = "transport:invalid-certificate"
	conditionBroken  = "transport:invalid-field-value"
)

// peer looks another party up; one that the address register cannot tell of just then may be there later.
func (s *Seal) peer(id gateway.HERID) (Peer, error) {
	p, err := s.Peer(id)
	switch {
	case gateway.CodeOf(err) == gateway.NotFound && err != nil:
		return p, sealFault{conditionMissing, err}
	case err != nil:
		return p, gateway.Failed("exchange.seal", gateway.Unavailable, err)
	}
	return p, nil
}

// Close signs the document and encrypts it for the receiver.
func (s *Seal) Close(document []byte, to gateway.HERID) ([]byte, error) {
	peer, err := s.peer(to)
	if err != nil {
		return nil, err
	}
	if err := s.usable(peer.Encryption, enciphers); err != nil {
		return nil, err
	}
	signed, err := pkcs7.NewSignedData(document)
	if err != nil {
		return nil, sealFault{conditionBroken, err}
	}
	signed.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA256)
	if err := signed.AddSignerChain(s.Signing.Certificate, s.Signing.Key, s.Signing.Chain, pkcs7.SignerInfoConfig{}); err != nil {
		return nil, sealFault{conditionInvalid, err}
	}
	inner, err := signed.Finish()
	if err != nil {
		return nil, sealFault{conditionBroken, err}
	}
	sealed, err := pkcs7.Encrypt(inner, []*x509.Certificate{peer.Encryption})
	if err != nil {
		return nil, sealFault{conditionInvalid, err}
	}
	return sealed, nil
}

// Open decrypts with a key of ours and demands that the sender itself has signed: with a certificate that
// the address register holds for it, that leads to a root of ours, is for signing and holds now. A content
// that was changed, one for somebody else and one that another has signed are not told apart to whom sent it.
func (s *Seal) Open(sealed []byte, from gateway.HERID) ([]byte, error) {
	peer, err := s.peer(from)
	if err != nil {
		return nil, err
	}
	inner, err := s.decrypt(sealed)
	if err != nil {
		return nil, sealFault{conditionInvalid, err}
	}
	signed, err := pkcs7.Parse(inner)
	if err != nil {
		return nil, sealFault{conditionInvalid, err}
	}
	signer := signed.GetOnlySigner()
	if signer == nil || !slices.ContainsFunc(peer.Signing, signer.Equal) {
		return nil, sealFault{conditionInvalid, errSigner}
	}
	if err := s.usable(signer, signs); err != nil {
		return nil, err
	}
	if err := signed.VerifyWithChainAtTime(s.Roots, s.Clock()); err != nil {
		return nil, sealFault{conditionInvalid, err}
	}
	return signed.Content, nil
}

var (
	errSigner = errors.New("signed by another than the sender")
	errUsage  = errors.New("the certificate is not for this use")
	errSealed = errors.New("not encrypted for us")
)

// decrypt tries each key of ours: a message may be older than the present one.
func (s *Seal) decrypt(sealed []byte) ([]byte, error) {
	outer, err := pkcs7.Parse(sealed)
	if err != nil {
		return nil, errSealed
	}
	for _, mine := range s.Encryption {
		if inner, err := outer.Decrypt(mine.Certificate, mine.Key); err == nil {
			return inner, nil
		}
	}
	return nil, errSealed
}

func (s *Seal) usable(c *x509.Certificate, use func(*x509.Certificate) bool) error {
	switch now := s.Clock(); {
	case c == nil:
		return sealFault{condition: conditionMissing}
	case now.Before(c.NotBefore) || now.After(c.NotAfter):
		return sealFault{condition: conditionExpired}
	case !use(c):
		return sealFault{conditionInvalid, errUsage}
	}
	return nil
}
