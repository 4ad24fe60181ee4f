// Package exchangetest gives tests of transports a broker of their own, and the certificates that seal what goes by it.
package exchangetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/go-amqp"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/exchange"
)

// Broker is a RabbitMQ of the test's own with its plugin for AMQP 1.0, on loopback.
type Broker struct {
	t         testing.TB
	server    string
	directory string
	port      int
	env       []string // beside that of the test
	process   *exec.Cmd
}

// NewBroker starts one that has the queues of the parties, and ends with the test. It fails when RabbitMQ is not there:
// deploy/ensure-broker installs it.
func NewBroker(t testing.TB, parties ...gateway.HERID) *Broker {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server")
	if len(found) == 0 {
		t.Fatal("RabbitMQ is missing: run deploy/ensure-broker")
	}
	b := &Broker{t: t, server: found[0], directory: t.TempDir(), port: free(t)}
	epmd := free(t)
	for name, text := range map[string]string{
		"plugins":          "[rabbitmq_amqp1_0].",
		"rabbitmq.conf":    fmt.Sprintf("listeners.tcp.default = 127.0.0.1:%d\nload_definitions = %s/definitions.json\n", b.port, b.directory),
		"definitions.json": definitions(parties),
	} {
		must(t, os.WriteFile(filepath.Join(b.directory, name), []byte(text), 0o600))
	}
	in := func(name string) string { return filepath.Join(b.directory, name) }
	b.env = []string{
		"HOME=" + b.directory, "RABBITMQ_BASE=" + b.directory, fmt.Sprintf("RABBITMQ_NODENAME=sluse%d@localhost", b.port),
		"RABBITMQ_MNESIA_BASE=" + in("db"), "RABBITMQ_LOG_BASE=" + in("log"), "RABBITMQ_ENABLED_PLUGINS_FILE=" + in("plugins"),
		"RABBITMQ_CONFIG_FILE=" + in("rabbitmq.conf"), fmt.Sprintf("RABBITMQ_DIST_PORT=%d", free(t)), "RABBITMQ_PID_FILE=" + in("pid"),
		fmt.Sprintf("ERL_EPMD_PORT=%d", epmd), "ERL_EPMD_ADDRESS=127.0.0.1",
	}
	b.Start()
	t.Cleanup(func() {
		b.Kill()
		kill := exec.Command("epmd", "-kill") // the one on the port of our own
		kill.Env = append(kill.Environ(), b.env...)
		_ = kill.Run()
	})
	return b
}

// definitions are the queues of helsenorge's messaging for the parties, as whoever runs a broker declares them.
func definitions(parties []gateway.HERID) string {
	salt := "salt"
	sum := sha256.Sum256([]byte(salt + "guest"))
	var queues []string
	for _, id := range parties {
		for _, kind := range []string{"_async", "_error"} {
			queues = append(queues, fmt.Sprintf(`{"name":%q,"vhost":"/","durable":true,"auto_delete":false,"arguments":{}}`, string(id)+kind))
		}
	}
	return fmt.Sprintf(`{"vhosts":[{"name":"/"}],
	  "users":[{"name":"guest","password_hash":%q,"hashing_algorithm":"rabbit_password_hashing_sha256","tags":"administrator"}],
	  "permissions":[{"user":"guest","vhost":"/","configure":".*","write":".*","read":".*"}],"queues":[%s]}`,
		base64.StdEncoding.EncodeToString(append([]byte(salt), sum[:]...)), strings.Join(queues, ","))
}

// Prefix is that of the names of queues as RabbitMQ has them.
const Prefix = "/amq/queue/"

func free(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// Start runs the broker until it answers.
func (b *Broker) Start() {
	b.t.Helper()
	var said bytes.Buffer
	b.process = exec.Command(b.server)
	b.process.Env, b.process.Stdout, b.process.Stderr = append(b.process.Environ(), b.env...), &said, &said
	must(b.t, b.process.Start())
	for range 600 {
		if s, err := b.dial(); err == nil {
			_ = s.Close()
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	b.Kill()
	b.t.Fatalf("the broker does not answer: %s", said.String())
}

func (b *Broker) dial() (*amqp.Conn, error) {
	ctx, done := context.WithTimeout(context.Background(), 2*time.Second)
	defer done()
	return amqp.Dial(ctx, b.Address(), &amqp.ConnOptions{SASLType: amqp.SASLTypePlain("guest", "guest")})
}

// Address is where it listens, for AMQP 1.0.
func (b *Broker) Address() string { return fmt.Sprintf("amqp://127.0.0.1:%d", b.port) }

// Kill ends the broker at once, as a power cut does.
func (b *Broker) Kill() {
	raw, err := os.ReadFile(filepath.Join(b.directory, "pid"))
	if err == nil {
		_ = exec.Command("kill", "-9", strings.TrimSpace(string(raw))).Run()
	}
	_ = b.process.Process.Kill()
	_ = b.process.Wait()
}

// Queue is the transport of a party over it.
func (b *Broker) Queue(mine gateway.HERID, seal *exchange.Seal) *exchange.Queue {
	b.t.Helper()
	q, err := exchange.NewQueue(exchange.QueueConfig{
		Address: b.Address(), Options: &amqp.ConnOptions{SASLType: amqp.SASLTypePlain("guest", "guest")},
		Prefix: Prefix, Mine: []gateway.HERID{mine}, Seal: seal, Clock: seal.Clock, Agreement: func(_, _ gateway.HERID) string { return "cpa-1" },
	})
	must(b.t, err)
	b.t.Cleanup(func() { _ = q.Close() })
	return q
}

// session is one on a connection of its own, which end closes.
func (b *Broker) session() (s *amqp.Session, end func()) {
	b.t.Helper()
	c, err := b.dial()
	must(b.t, err)
	s, err = c.NewSession(context.Background(), nil)
	must(b.t, err)
	return s, func() { _ = c.Close() }
}

// Lay puts a message of any shape into a queue.
func (b *Broker) Lay(queue string, m *amqp.Message) {
	b.t.Helper()
	s, end := b.session()
	defer end()
	sender, err := s.NewSender(context.Background(), Prefix+queue, nil)
	must(b.t, err)
	must(b.t, sender.Send(context.Background(), m, nil))
}

// Take gives what lies in a queue.
func (b *Broker) Take(queue string) (list []*amqp.Message) {
	b.t.Helper()
	s, end := b.session()
	defer end()
	r, err := s.NewReceiver(context.Background(), Prefix+queue, &amqp.ReceiverOptions{Credit: 10})
	must(b.t, err)
	for {
		ctx, done := context.WithTimeout(context.Background(), time.Second)
		m, err := r.Receive(ctx, nil)
		done()
		if err != nil {
			return list
		}
		must(b.t, r.AcceptMessage(context.Background(), m))
		list = append(list, m)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
