//go:build soak

package exchange_test

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

// broker is a RabbitMQ of the test's own with its plugin for AMQP 1.0, on loopback.
type broker struct {
	t         testing.TB
	directory string
	port      int
	env       []string
	process   *exec.Cmd
}

func newBroker(t testing.TB) *broker {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server")
	if len(found) == 0 {
		t.Fatal("RabbitMQ is missing: run deploy/ensure-broker")
	}
	b := &broker{t: t, directory: t.TempDir(), port: free(t)}
	epmd := free(t)
	for name, text := range map[string]string{
		"plugins":          "[rabbitmq_amqp1_0].",
		"rabbitmq.conf":    fmt.Sprintf("listeners.tcp.default = 127.0.0.1:%d\nload_definitions = %s/definitions.json\n", b.port, b.directory),
		"definitions.json": definitions(),
	} {
		must(t, os.WriteFile(filepath.Join(b.directory, name), []byte(text), 0o600))
	}
	in := func(name string) string { return filepath.Join(b.directory, name) }
	b.env = append(os.Environ(), "HOME="+b.directory, "RABBITMQ_BASE="+b.directory, fmt.Sprintf("RABBITMQ_NODENAME=sluse%d@localhost", b.port),
		"RABBITMQ_MNESIA_BASE="+in("db"), "RABBITMQ_LOG_BASE="+in("log"), "RABBITMQ_ENABLED_PLUGINS_FILE="+in("plugins"),
		"RABBITMQ_CONFIG_FILE="+in("rabbitmq.conf"), fmt.Sprintf("RABBITMQ_DIST_PORT=%d", free(t)), "RABBITMQ_PID_FILE="+in("pid"),
		fmt.Sprintf("ERL_EPMD_PORT=%d", epmd), "ERL_EPMD_ADDRESS=127.0.0.1", "RABBITMQ_SERVER="+found[0])
	b.start()
	t.Cleanup(func() {
		b.kill()
		kill := exec.Command("epmd", "-kill") // the one on the port of our own
		kill.Env = b.env
		_ = kill.Run()
	})
	return b
}

// definitions are the queues of helsenorge's messaging for the parties, as whoever runs a broker declares them.
func definitions() string {
	salt := "salt"
	sum := sha256.Sum256([]byte(salt + "guest"))
	var queues []string
	for _, id := range []string{gp, bydel, hospice} {
		for _, kind := range []string{"_async", "_error"} {
			queues = append(queues, fmt.Sprintf(`{"name":%q,"vhost":"/","durable":true,"auto_delete":false,"arguments":{}}`, id+kind))
		}
	}
	return fmt.Sprintf(`{"vhosts":[{"name":"/"}],
	  "users":[{"name":"guest","password_hash":%q,"hashing_algorithm":"rabbit_password_hashing_sha256","tags":"administrator"}],
	  "permissions":[{"user":"guest","vhost":"/","configure":".*","write":".*","read":".*"}],"queues":[%s]}`,
		base64.StdEncoding.EncodeToString(append([]byte(salt), sum[:]...)), strings.Join(queues, ","))
}

const prefix = "/amq/queue/"

func free(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// start runs the broker until it answers.
func (b *broker) start() {
	b.t.Helper()
	server := ""
	for _, e := range b.env {
		if s, ok := strings.CutPrefix(e, "RABBITMQ_SERVER="); ok {
			server = s
		}
	}
	var said bytes.Buffer
	b.process = exec.Command(server)
	b.process.Env, b.process.Stdout, b.process.Stderr = b.env, &said, &said
	must(b.t, b.process.Start())
	for range 600 {
		if s, err := b.dial(); err == nil {
			_ = s.Close()
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	b.kill()
	b.t.Fatalf("the broker does not answer: %s", said.String())
}

func (b *broker) dial() (*amqp.Conn, error) {
	ctx, done := context.WithTimeout(context.Background(), 2*time.Second)
	defer done()
	return amqp.Dial(ctx, b.address(), &amqp.ConnOptions{SASLType: amqp.SASLTypePlain("guest", "guest")})
}

func (b *broker) address() string { return fmt.Sprintf("amqp://127.0.0.1:%d", b.port) }

// kill ends the broker at once, as a power cut does.
func (b *broker) kill() {
	raw, err := os.ReadFile(filepath.Join(b.directory, "pid"))
	if err == nil {
		_ = exec.Command("kill", "-9", strings.TrimSpace(string(raw))).Run()
	}
	_ = b.process.Process.Kill()
	_ = b.process.Wait()
}

func (b *broker) queue(mine gateway.HERID, seal *exchange.Seal) *exchange.Queue {
	b.t.Helper()
	q, err := exchange.NewQueue(exchange.QueueConfig{
		Address: b.address(), Options: &amqp.ConnOptions{SASLType: amqp.SASLTypePlain("guest", "guest")},
		Prefix: prefix, Mine: []gateway.HERID{mine}, Seal: seal, Clock: time.Now, Agreement: func(_, _ gateway.HERID) string { return "cpa-1" },
	})
	must(b.t, err)
	b.t.Cleanup(func() { _ = q.Close() })
	return q
}

// lay puts a message of any shape into a queue.
func (b *broker) lay(queue string, m *amqp.Message) {
	b.t.Helper()
	c, err := b.dial()
	must(b.t, err)
	defer c.Close()
	s, err := c.NewSession(context.Background(), nil)
	must(b.t, err)
	sender, err := s.NewSender(context.Background(), prefix+queue, nil)
	must(b.t, err)
	must(b.t, sender.Send(context.Background(), m, nil))
}

// take gives what lies in a queue.
func (b *broker) take(queue string) (list []*amqp.Message) {
	b.t.Helper()
	c, err := b.dial()
	must(b.t, err)
	defer c.Close()
	s, err := c.NewSession(context.Background(), nil)
	must(b.t, err)
	r, err := s.NewReceiver(context.Background(), prefix+queue, &amqp.ReceiverOptions{Credit: 10})
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

// brokered is two gateways whose messages go by a broker.
type brokered struct {
	*world
	there         *world
	broker        *broker
	carrier       *exchange.Carrier
	others        *exchange.Carrier
	ours, theirs  *exchange.Queue
	communication func() (status string)
}

func newBrokered(t testing.TB) *brokered {
	t.Helper()
	b := &brokered{world: newWorld(t), there: newWorld(t), broker: newBroker(t)}
	bydelSeal, gpSeal := newAuthority(t, time.Now()).seals()
	b.ours, b.theirs = b.broker.queue(bydel, bydelSeal), b.broker.queue(gp, gpSeal)
	b.carrier, b.others = b.carry(b.ours, gp), b.there.carry(b.theirs, bydel)
	p := b.patient(bydel)
	b.create(person(bydel), "Consent", consentBody("active", p, "bydel", "fastlege", clinical...))
	b.there.create(person(bydel), "Consent", consentBody("active", b.there.patient(bydel), "bydel", "fastlege", clinical...))
	c := b.create(person(bydel), "Communication", order(p, "DIALOG_HELSEFAGLIG", "fastlege", note))
	b.communication = func() string { status, _ := b.world.communication(c); return status }
	must(t, b.worker.Once(context.Background()))
	return b
}

// TestBroker: a message goes by the queues, sealed, and its AppRec comes back by them; each has one effect, also
// when the broker is killed in between.
func TestBroker(t *testing.T) {
	b := newBrokered(t)
	must(t, b.carrier.Once(context.Background()))
	b.broker.kill()
	_ = b.carrier.Once(context.Background()) // nobody answers
	b.broker.start()
	for range 3 {
		must(t, b.others.Once(context.Background()))
		must(t, b.carrier.Once(context.Background()))
	}
	list, _ := b.there.documents(gp)
	if len(list) != 1 {
		t.Fatalf("%d documents reach the GP, want 1", len(list))
	}
	if body, _ := b.there.fetch(gp, list[0].ID); !strings.Contains(body, "kanari-dialog") {
		t.Error("the document is not what was ordered")
	}
	if status := b.communication(); status != "completed" {
		t.Errorf("the Communication is %s after the AppRec", status)
	}
	for _, queue := range []string{gp + "_async", bydel + "_async", gp + "_error", bydel + "_error"} {
		if left := b.broker.take(queue); len(left) != 0 {
			t.Errorf("%d messages left in %s", len(left), queue)
		}
	}
}

// TestBrokerProperties: what lies in the queue can be read by nobody else, and has the properties of helsenorge's
// messaging.
func TestBrokerProperties(t *testing.T) {
	b := newBrokered(t)
	must(t, b.carrier.Once(context.Background()))
	list := b.broker.take(gp + "_async")
	if len(list) != 1 {
		t.Fatalf("%d messages in the queue, want 1", len(list))
	}
	m := list[0]
	if bytes.Contains(m.GetData(), []byte("kanari")) || bytes.Contains(m.GetData(), []byte(kari)) {
		t.Error("the content can be read on the way")
	}
	if *m.Properties.Subject != "DIALOG_HELSEFAGLIG" || *m.Properties.ReplyTo != bydel+"_async" ||
		!strings.HasPrefix(*m.Properties.ContentType, "application/pkcs7-mime") {
		t.Errorf("%+v", m.Properties)
	}
	for name, want := range map[string]any{"fromHerId": bydel, "toHerId": gp, "cpaId": "cpa-1", "X-MessageInfo-Type": "DIALOG_HELSEFAGLIG"} {
		if m.ApplicationProperties[name] != want {
			t.Errorf("%s is %v, want %v", name, m.ApplicationProperties[name], want)
		}
	}
	if strings.Contains(fmt.Sprint(m.ApplicationProperties, m.Properties), kari) {
		t.Error("a property tells of the patient")
	}
}

// TestBrokerWhole: what a sender has said of delivery in part goes with the message, and is decided where the receiver is.
func TestBrokerWhole(t *testing.T) {
	for partial, want := range map[string]int{"": 2, "nei": 1} { // the one that was ordered among them
		t.Run("Sluse-Delvis "+partial, func(t *testing.T) {
			b := newBrokered(t)
			b.create(person(bydel), "Consent", consentBody("active", b.patient(bydel), "bydel", "fastlege", gateway.AllLabels.Codes()...))
			b.partly(bydel, swapped(t), partial)
			for range 3 {
				must(t, b.carrier.Once(context.Background()))
				must(t, b.others.Once(context.Background()))
			}
			if list, _ := b.there.documents(gp); len(list) != want {
				t.Errorf("%d documents reach the GP, want %d", len(list), want)
			}
		})
	}
}

// TestBrokerErrors: what cannot be opened is told to its sender's queue of errors and is not read again; what is
// told of a message of ours ends its order with the reason.
func TestBrokerErrors(t *testing.T) {
	b := newBrokered(t)
	must(t, b.carrier.Once(context.Background()))
	sent := b.broker.take(gp + "_async")
	for name, change := range map[string]func(m *amqp.Message){
		"forged":     func(m *amqp.Message) { m.ApplicationProperties["fromHerId"] = hospice },
		"elsewhere":  func(m *amqp.Message) { m.ApplicationProperties["toHerId"] = sosial },
		"not sealed": func(m *amqp.Message) { m.Data = [][]byte{[]byte("<MsgHead/>")} },
	} {
		t.Run(name, func(t *testing.T) {
			m := amqp.NewMessage(bytes.Clone(sent[0].GetData()))
			properties := *sent[0].Properties
			m.Properties, m.ApplicationProperties = &properties, map[string]any{}
			for k, v := range sent[0].ApplicationProperties {
				m.ApplicationProperties[k] = v
			}
			change(m)
			b.broker.lay(gp+"_async", m)
			must(t, b.others.Once(context.Background()))
			if list, _ := b.there.documents(gp); len(list) != 0 {
				t.Errorf("%d documents are taken in", len(list))
			}
			from := m.ApplicationProperties["fromHerId"].(string)
			told := b.broker.take(from + "_error")
			if len(told) != 1 || told[0].ApplicationProperties["originalMessageId"] != properties.MessageID ||
				!strings.HasPrefix(fmt.Sprint(told[0].ApplicationProperties["errorCondition"]), "transport:") {
				t.Fatalf("%+v, want one error", told)
			}
			if from == bydel && name == "not sealed" {
				b.broker.lay(bydel+"_error", told[0])
			}
		})
	}
	must(t, b.carrier.Once(context.Background()))
	if status := b.communication(); status != "stopped" {
		t.Errorf("the Communication is %s after the error, want stopped", status)
	}
}

// TestBrokerUnsettled: what could not be made durable comes again.
func TestBrokerUnsettled(t *testing.T) {
	b := newBrokered(t)
	must(t, b.carrier.Once(context.Background()))
	down := gateway.Fault("test", gateway.Unavailable)
	if err := b.theirs.Receive(context.Background(), func(context.Context, gateway.Arrival) error { return down }); err == nil {
		t.Error("a failure is not told")
	}
	taken := 0
	must(t, b.theirs.Receive(context.Background(), func(context.Context, gateway.Arrival) error { taken++; return nil }))
	must(t, b.theirs.Receive(context.Background(), func(context.Context, gateway.Arrival) error { taken++; return nil }))
	if taken != 1 {
		t.Errorf("taken %d times, want 1", taken)
	}
}
