package exchange

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/Azure/go-amqp"

	"github.com/sluse/sluse/gateway"
)

// QueueConfig wires a Queue. Address, Mine, Seal and Clock are required.
type QueueConfig struct {
	Address   string            // amqps://host
	Options   *amqp.ConnOptions // TLS and SASL
	Prefix    string            // of the names of queues as the broker has them: "/amq/queue/" for RabbitMQ; default none
	Mine      []gateway.HERID   // our HER-ids, whose queues are read
	Seal      *Seal
	Agreement func(from, to gateway.HERID) string // CPA-id of two parties; nil: none
	Idle      time.Duration                       // how long an empty queue is listened to; 250 ms when zero
	Clock     func() time.Time
}

// Queue is a Transport by AMQP 1.0, with the queues and properties of helsenorge's messaging: for each HER-id
// one for messages (_async) and one for errors (_error), a content that is signed and encrypted, and what it
// is in the properties. It is settled only when it is durable on this side, and counts as sent when the
// broker has it. The queues for direct answers (_sync, _syncreply) are not used: no message that Sluse
// exchanges waits for one.
type Queue struct {
	QueueConfig
	mu   sync.Mutex
	conn *amqp.Conn
}

var _ Transport = (*Queue)(nil)

// What helsenorge's messaging calls its queues, properties and functions.
const (
	queueAsync = "_async"
	queueError = "_error"

	sealedType    = "application/pkcs7-mime; smime-type=signed-and-enveloped-data"
	functionFault = "AMQP_SOAP_FAULT"

	propertyFrom        = "fromHerId"
	propertyTo          = "toHerId"
	propertyAgreement   = "cpaId"
	propertyAt          = "applicationTimeStamp"
	propertyOriginal    = "originalMessageId"
	propertyReceived    = "receiverTimeStamp"
	propertyCondition   = "errorCondition"
	propertyDescription = "errorDescription"

	propertyPartial = "X-Sluse-Delvis" // Sluse's own, and not signed: "nei" for what goes whole or not at all
)

// NewQueue checks the wiring and tells all that is wrong at once. It connects when it is first used.
func NewQueue(c QueueConfig) (*Queue, error) {
	var faults []error
	if !strings.HasPrefix(c.Address, "amqps://") && !strings.HasPrefix(c.Address, "amqp://") {
		faults = append(faults, errors.New("exchange: the address of a broker begins with amqps://"))
	}
	if c.Seal == nil || c.Clock == nil || len(c.Mine) == 0 {
		faults = append(faults, errors.New("exchange: a queue needs Mine, Seal and Clock"))
	}
	for _, id := range c.Mine {
		if !herForm.MatchString(string(id)) {
			faults = append(faults, errors.New("exchange: a queue's owner is not a HER-id"))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if c.Idle == 0 {
		c.Idle = 250 * time.Millisecond
	}
	return &Queue{QueueConfig: c}, nil
}

// session opens a session, on a connection that is made anew when the last one is gone.
func (q *Queue) session(ctx context.Context) (*amqp.Session, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.conn != nil {
		select {
		case <-q.conn.Done():
		default:
			if s, err := q.conn.NewSession(ctx, nil); err == nil {
				return s, nil
			}
		}
		_ = q.conn.Close() // whatever it says, it is not used any more
		q.conn = nil
	}
	conn, err := amqp.Dial(ctx, q.Address, q.Options)
	if err != nil {
		return nil, err
	}
	s, err := conn.NewSession(ctx, nil)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	q.conn = conn
	return s, nil
}

// Close ends the connection.
func (q *Queue) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.conn == nil {
		return nil
	}
	err := q.conn.Close()
	q.conn = nil
	return err
}

// with does something in a session of its own: what it leaves unsettled goes back into its queue.
func (q *Queue) with(ctx context.Context, op string, do func(*amqp.Session) error) error {
	s, err := q.session(ctx)
	if err != nil {
		return gateway.Failed(op, gateway.Unavailable, err)
	}
	err = do(s)
	ending, done := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer done()
	_ = s.Close(ending) // its work is settled, or comes again
	return err
}

// Send seals the document and lays it in the receiver's queue.
func (q *Queue) Send(ctx context.Context, p gateway.Parcel) (reference string, err error) {
	const op = "exchange.queue.send"
	var document bytes.Buffer
	if _, err := p.Document.WriteTo(&document); err != nil {
		return "", gateway.Failed(op, gateway.Internal, err)
	}
	sealed, err := q.Seal.Close(document.Bytes(), p.Receiver)
	if err != nil { // a certificate that people must see to
		return "", gateway.Failed(op, gateway.Unavailable, err)
	}
	m := q.parcel(p, sealed)
	err = q.with(ctx, op, func(s *amqp.Session) error { return lay(ctx, s, q.Prefix+*m.Properties.To, m) })
	if err != nil {
		return "", gateway.Failed(op, gateway.Unavailable, err)
	}
	return parcelName(p), nil
}

// lay sends one message and waits until the broker has taken it over.
func lay(ctx context.Context, s *amqp.Session, queue string, m *amqp.Message) error {
	sender, err := s.NewSender(ctx, queue, &amqp.SenderOptions{SettlementMode: amqp.SenderSettleModeUnsettled.Ptr()})
	if err != nil {
		return err
	}
	return sender.Send(ctx, m, nil)
}

// parcelName names a parcel to other sides: the message and its receiver.
func parcelName(p gateway.Parcel) string { return string(p.Message) + "-" + string(p.Receiver) }

// named is the parcel of a name.
func named(name string) (gateway.MessageID, gateway.HERID, bool) {
	if len(name) < 38 || name[36] != '-' || !guid.MatchString(name[:36]) || !herForm.MatchString(name[37:]) {
		return "", "", false
	}
	return gateway.MessageID(strings.ToLower(name[:36])), gateway.HERID(name[37:]), true
}

// parcel gives a document the properties that it travels with. The head's ids may stand there; no name of
// anybody does.
func (q *Queue) parcel(p gateway.Parcel, sealed []byte) *amqp.Message {
	to, reply := string(p.Receiver)+queueAsync, string(p.Sender)+queueAsync
	name, contentType, now := parcelName(p), sealedType, q.Clock().UTC()
	m := amqp.NewMessage(sealed)
	m.Header = &amqp.MessageHeader{Durable: true}
	m.Properties = &amqp.MessageProperties{
		MessageID: name, CorrelationID: name, To: &to, ReplyTo: &reply, Subject: &p.Kind, ContentType: &contentType, CreationTime: &now,
	}
	if p.Answers != "" {
		m.Properties.CorrelationID = p.Answers
	}
	m.ApplicationProperties = map[string]any{
		propertyFrom: string(p.Sender), propertyTo: string(p.Receiver), propertyAt: now.Format(time.RFC3339),
		"X-MessageInfo-Type": p.Kind, "X-MessageInfo-MsgId": string(p.MsgID),
	}
	for name, value := range map[string]string{
		"X-MessageInfo-RefToParent": p.Parent, "X-MessageInfo-RefToConversation": p.Conversation,
	} {
		if value != "" {
			m.ApplicationProperties[name] = value
		}
	}
	if p.Whole {
		m.ApplicationProperties[propertyPartial] = undivided
	}
	if q.Agreement != nil {
		if id := q.Agreement(p.Sender, p.Receiver); id != "" {
			m.ApplicationProperties[propertyAgreement] = id
		}
	}
	return m
}

// Receive empties our queues. What may not be taken in is told to its sender's queue of errors, and settled
// after that; what cannot be taken in now goes back, and its queue waits for the next time.
func (q *Queue) Receive(ctx context.Context, take func(context.Context, gateway.Arrival) error) error {
	const op = "exchange.queue.receive"
	var failed []error
	for _, mine := range q.Mine {
		for _, queue := range []string{queueAsync, queueError} {
			err := q.with(ctx, op, func(s *amqp.Session) error { return q.empty(ctx, s, mine, queue, take) })
			if err != nil {
				failed = append(failed, gateway.Failed(op, gateway.Unavailable, err))
			}
		}
	}
	return errors.Join(failed...)
}

// most is how many messages one look at a queue takes in.
const most = 100

func (q *Queue) empty(ctx context.Context, s *amqp.Session, mine gateway.HERID, queue string, take func(context.Context, gateway.Arrival) error) error {
	r, err := s.NewReceiver(ctx, q.Prefix+string(mine)+queue, &amqp.ReceiverOptions{Credit: 10, MaxMessageSize: 2 * maxBody})
	if err != nil {
		return err
	}
	for range most {
		m := r.Prefetched()
		if m == nil {
			waiting, done := context.WithTimeout(ctx, q.Idle)
			m, err = r.Receive(waiting, nil)
			done()
			if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
				return nil
			}
			if err != nil {
				return err
			}
		}
		if err := q.arrived(ctx, mine, queue, m, take); err != nil {
			if refused := q.refusal(ctx, s, mine, m, err); refused != nil {
				return errors.Join(err, refused, r.ReleaseMessage(ctx, m))
			}
		}
		if err := r.AcceptMessage(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// arrived opens a message and hands it over.
func (q *Queue) arrived(ctx context.Context, mine gateway.HERID, queue string, m *amqp.Message, take func(context.Context, gateway.Arrival) error) error {
	if queue == queueError || functionOf(m) == functionFault {
		id, _ := m.ApplicationProperties[propertyOriginal].(string)
		if id == "" && m.Properties != nil {
			id, _ = m.Properties.CorrelationID.(string)
		}
		message, receiver, ok := named(id)
		if !ok {
			return nil // about nothing of ours
		}
		return take(ctx, gateway.Arrival{Returned: message, Receiver: receiver})
	}
	from := gateway.HERID(text(m, propertyFrom))
	switch {
	case m.Properties == nil || m.Properties.ContentType == nil || *m.Properties.ContentType != sealedType:
		return sealFault{condition: conditionForm}
	case !herForm.MatchString(string(from)) || text(m, propertyTo) != string(mine):
		return sealFault{condition: conditionBroken}
	}
	document, err := q.Seal.Open(bytes.Join(m.Data, nil), from)
	if err != nil {
		return err
	}
	if len(document) > maxDocument {
		return sealFault{condition: conditionBroken}
	}
	return take(ctx, gateway.Arrival{Document: document, Sender: from, Reference: idOf(m), Whole: saidWhole(text(m, propertyPartial))})
}

// The conditions that concern the content.
const (
	conditionXML  = "transport:not-well-formed-xml"
	conditionForm = "transport:unsupported-message"
)

// conditions tell why a document was not taken in; what is not among them is taken in another time.
var conditions = map[gateway.Code]string{
	gateway.Malformed: conditionXML, gateway.NotSupported: conditionForm, gateway.Invalid: conditionBroken,
	gateway.TooLarge: conditionBroken, gateway.TooCostly: conditionBroken, gateway.Conflict: conditionBroken, gateway.Forbidden: conditionBroken,
}

// refusal tells the sender why its message is not taken in, in its queue of errors. An error means that it
// was not told, or that there is nothing to tell: the message is to come again.
func (q *Queue) refusal(ctx context.Context, s *amqp.Session, mine gateway.HERID, m *amqp.Message, err error) error {
	condition := conditions[gateway.CodeOf(err)]
	var seal sealFault
	if errors.As(err, &seal) {
		condition = seal.condition
	}
	from := text(m, propertyFrom)
	switch {
	case condition == "":
		return err
	case !herForm.MatchString(from): // nobody to tell
		return nil
	}
	to, subject, now := from+queueError, functionOf(m), q.Clock().UTC()
	told := amqp.NewMessage(nil)
	told.Header = &amqp.MessageHeader{Durable: true}
	told.Properties = &amqp.MessageProperties{
		MessageID: "error-" + idOf(m), CorrelationID: idOf(m), To: &to, Subject: &subject, CreationTime: &now,
	}
	told.ApplicationProperties = map[string]any{
		propertyFrom: string(mine), propertyTo: from, propertyOriginal: idOf(m), propertyReceived: now.Format(time.RFC3339),
		propertyCondition: condition, propertyDescription: descriptions[condition],
	}
	return lay(ctx, s, q.Prefix+to, told)
}

// descriptions are for people at the other side.
var descriptions = map[string]string{
	conditionXML:     "Dokumentet er ikke XML som kan leses.",
	conditionForm:    "Meldingen er ikke av en type som tas imot.",
	conditionBroken:  "Et felt mangler, har feil verdi eller stemmer ikke med dokumentet.",
	conditionMissing: "Sertifikat for avsenderen mangler.",
	conditionExpired: "Avsenderens sertifikat gjelder ikke nå.",
	conditionInvalid: "Signatur eller kryptering kan ikke godtas.",
}

func text(m *amqp.Message, property string) string {
	switch v := m.ApplicationProperties[property].(type) {
	case string:
		return v
	case int32, int64, uint32, uint64:
		return fmt.Sprint(v)
	}
	return ""
}

func functionOf(m *amqp.Message) string {
	if m.Properties == nil || m.Properties.Subject == nil {
		return ""
	}
	return *m.Properties.Subject
}

// idOf is what the sender calls its message; nothing that could be anything else than a name.
func idOf(m *amqp.Message) string {
	if m.Properties == nil {
		return ""
	}
	if id := fmt.Sprint(m.Properties.MessageID); parameterForm.MatchString(id) {
		return id
	}
	return ""
}
