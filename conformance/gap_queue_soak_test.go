//go:build soak

package conformance_test

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/Azure/go-amqp"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/exchange"
	"github.com/sluse/sluse/gateway/exchange/exchangetest"
)

// queueSide is the other side of a transport by the queues of a broker, which lives on when the carrier dies.
type queueSide struct {
	*carrierRun
	broker       *exchangetest.Broker
	seal         *exchange.Seal
	queue        *exchange.Queue
	directory    string
	mine, theirs gateway.HERID
}

func newQueueSide(r *carrierRun) *queueSide {
	r.t.Helper()
	s := &queueSide{carrierRun: r, directory: dataDir(r.t), mine: gateway.HERID(r.bydel.herID), theirs: gateway.HERID(r.hospital.herID)}
	s.broker = exchangetest.NewBroker(r.t, s.mine, s.theirs)
	s.certify()
	s.queue = s.broker.Queue(s.theirs, s.seal)
	return s
}

// certify gives both sides their certificates: the carrier's as files.
func (s *queueSide) certify() {
	s.t.Helper()
	const sign, open = x509.KeyUsageContentCommitment, x509.KeyUsageKeyEncipherment
	now := time.Now()
	authority, keys := exchangetest.NewAuthority(s.t, now), exchangetest.Keys()
	pairs := map[string]exchange.KeyPair{}
	for name, key := range map[string]*rsa.PrivateKey{"ours": keys[1], "theirs": keys[2]} {
		pairs[name+"-sign"] = authority.Issue(name, key, sign, now.Add(12*time.Hour))
		pairs[name+"-open"] = authority.Issue(name, key, open, now.Add(12*time.Hour))
	}
	var err error
	s.seal, err = exchange.NewSeal(exchange.SealConfig{
		Signing: pairs["theirs-sign"], Encryption: []exchange.KeyPair{pairs["theirs-open"]}, Roots: authority.Roots(), Clock: time.Now,
		Peer: func(gateway.HERID) (exchange.Peer, error) {
			return exchange.Peer{Signing: []*x509.Certificate{pairs["ours-sign"].Certificate}, Encryption: pairs["ours-open"].Certificate}, nil
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	certificate := func(name string) []byte { return block("CERTIFICATE", pairs[name].Certificate.Raw) }
	for name, text := range map[string][]byte{
		"roots.pem": block("CERTIFICATE", authority.Pair.Certificate.Raw), "password": []byte("guest"),
		"sign.pem": certificate("ours-sign"), "open.pem": certificate("ours-open"), "key.pem": block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(keys[1])),
		string(s.theirs) + ".pem": append(certificate("theirs-sign"), certificate("theirs-open")...),
	} {
		if err := os.WriteFile(filepath.Join(s.directory, name), text, 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *queueSide) configuration(receiver, mine string) string {
	return fmt.Sprintf(`{name: queue, receivers: [%[1]s], amqp: {address: %[3]q, prefix: %[4]q, user: guest, passwordFile: %[5]s/password, mine: [%[2]s],
  sign: {certificate: %[5]s/sign.pem, key: %[5]s/key.pem}, decrypt: [{certificate: %[5]s/open.pem, key: %[5]s/key.pem}], roots: %[5]s/roots.pem, peers: %[5]s}}`,
		receiver, mine, s.broker.Address(), exchangetest.Prefix, s.directory)
}

// lay sends a document as the hospital's system does.
func (s *queueSide) lay(name, text string) {
	s.t.Helper()
	sealed, err := s.seal.Close([]byte(text), s.mine)
	if err != nil {
		s.t.Fatal(err)
	}
	to, reply, kind, content := string(s.mine)+"_async", string(s.theirs)+"_async", "LOG_INNLAGT", "application/pkcs7-mime; smime-type=signed-and-enveloped-data"
	m := amqp.NewMessage(sealed)
	m.Header = &amqp.MessageHeader{Durable: true}
	m.Properties = &amqp.MessageProperties{MessageID: "laid-" + name, To: &to, ReplyTo: &reply, Subject: &kind, ContentType: &content}
	m.ApplicationProperties = map[string]any{"fromHerId": string(s.theirs), "toHerId": string(s.mine)}
	s.broker.Lay(to, m)
}

// collect empties the hospital's queue and opens what lies there.
func (s *queueSide) collect() map[string][]byte {
	s.t.Helper()
	list := map[string][]byte{}
	err := s.queue.Receive(context.Background(), func(_ context.Context, a gateway.Arrival) error {
		if a.Document == nil {
			s.t.Errorf("%s is returned as an error", a.Returned)
			return nil
		}
		list[a.Reference] = a.Document
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}

// tear: the broker has a message, or has it not.
func (s *queueSide) tear(string) {}

// takenIn: what the carrier has not settled is told after its end.
func (s *queueSide) takenIn(string) bool { return true }

func (s *queueSide) rest() (list []string) {
	s.t.Helper()
	for _, id := range []gateway.HERID{s.mine, s.theirs} {
		for _, kind := range []string{"_async", "_error"} {
			for range s.broker.Take(string(id) + kind) {
				list = append(list, "a message lies in the queue "+string(id)+kind)
			}
		}
	}
	return list
}

// TestKilledInEachGapOfTheQueue: the transport by AMQP 1.0. What is laid twice by the broker has one effect, and what was
// laid and not marked is laid again: the same document, which the other side knows by its MsgId.
func TestKilledInEachGapOfTheQueue(t *testing.T) {
	killCarrier(t, func(r *carrierRun) otherSide { return newQueueSide(r) })
}
