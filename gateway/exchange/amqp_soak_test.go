//go:build soak

package exchange_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Azure/go-amqp"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/exchange"
	"github.com/sluse/sluse/gateway/exchange/exchangetest"
)

// brokered is two gateways whose messages go by a broker.
type brokered struct {
	*world
	there         *world
	broker        *exchangetest.Broker
	carrier       *exchange.Carrier
	others        *exchange.Carrier
	ours, theirs  *exchange.Queue
	communication func() (status string)
}

func newBrokered(t testing.TB) *brokered {
	t.Helper()
	b := &brokered{world: newWorld(t), there: newWorld(t), broker: exchangetest.NewBroker(t, gp, bydel, hospice)}
	bydelSeal, gpSeal := seals(t, exchangetest.NewAuthority(t, time.Now()))
	b.ours, b.theirs = b.broker.Queue(bydel, bydelSeal), b.broker.Queue(gp, gpSeal)
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
	b.broker.Kill()
	_ = b.carrier.Once(context.Background()) // nobody answers
	b.broker.Start()
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
		if left := b.broker.Take(queue); len(left) != 0 {
			t.Errorf("%d messages left in %s", len(left), queue)
		}
	}
}

// TestBrokerProperties: what lies in the queue can be read by nobody else, and has the properties of helsenorge's
// messaging.
func TestBrokerProperties(t *testing.T) {
	b := newBrokered(t)
	must(t, b.carrier.Once(context.Background()))
	list := b.broker.Take(gp + "_async")
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
	sent := b.broker.Take(gp + "_async")
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
			b.broker.Lay(gp+"_async", m)
			must(t, b.others.Once(context.Background()))
			if list, _ := b.there.documents(gp); len(list) != 0 {
				t.Errorf("%d documents are taken in", len(list))
			}
			from := m.ApplicationProperties["fromHerId"].(string)
			told := b.broker.Take(from + "_error")
			if len(told) != 1 || told[0].ApplicationProperties["originalMessageId"] != properties.MessageID ||
				!strings.HasPrefix(fmt.Sprint(told[0].ApplicationProperties["errorCondition"]), "transport:") {
				t.Fatalf("%+v, want one error", told)
			}
			if from == bydel && name == "not sealed" {
				b.broker.Lay(bydel+"_error", told[0])
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
