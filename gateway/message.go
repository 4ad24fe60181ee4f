package gateway

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// MsgID is MsgInfo/MsgId of a message, as its sender wrote it (HIS 80117).
type MsgID string

// MessageID is the id that the message API gives a message (MSH API v2 `id`), a random UUID.
type MessageID string

// KindAppRec is the message type of an applikasjonskvittering (HIS 80415).
const KindAppRec = "APPREC"

// MessageState is where a message is on its way. In: received → stored → acknowledged, or
// rejected. Out: queued → sent (→ delivered, to a party outside) → accepted, or rejected, held, or
// expired.
type MessageState string

// The states.
const (
	Received     MessageState = "received"     // bytes and claim are durable
	Acknowledged MessageState = "acknowledged" // stored, and every receiver has its AppRec
	Rejected     MessageState = "rejected"     // negative AppRec
	Queued       MessageState = "queued"       // waits for the relay
	SentOut      MessageState = "sent"         // lies in the receiver's mailbox, waits for AppRec
	DeliveredOut MessageState = "delivered"    // the transport of a receiver outside has it, waits for AppRec
	Accepted     MessageState = "accepted"     // positive AppRec
	Held         MessageState = "held"         // consent lacks: nothing left
	Expired      MessageState = "expired"      // no AppRec in time
)

// Change is what a message does to the one it names as parent (Volven 7309).
type Change string

// The changes. A supplement leaves the earlier content as it is.
const (
	NoChange   Change = ""
	Supplement Change = "supplement"
	Supersede  Change = "change"
	Cancel     Change = "cancel"
)

// Addressee is a receiver or sender of a message as the message names it.
type Addressee struct {
	HERID        HERID     // the deepest one: what is addressed (HIS 1153)
	Name         string    // of the service or organisation with that HER-id
	Above        HERID     // the organisation when a service is addressed, "" otherwise
	AboveName    string    //
	OrgNumber    OrgNumber // of the organisation
	Practitioner HPRNumber // the healthcare person named, "" when none
}

// NationalFault tells what is wrong with the national identity number of a message's patient.
type NationalFault string

// The faults. AppRec codes E30 and E31.
const (
	NationalMissing NationalFault = "missing"
	NationalWrong   NationalFault = "wrong"
)

// Message is one business document, inbound or outbound, with the bytes as they are on the wire.
type Message struct {
	ID           MessageID
	Sender       Addressee
	Party        HERID // of the sender, from the directory
	MsgID        MsgID
	Kind         string // kodeverk 8279, or APPREC
	KindName     string // its display as written
	Version      string // of the payload: "1.0", "1.6"; "" when unknown
	Receivers    []Addressee
	Named        []Addressee // all receivers that the document names, when it is settled
	Consent      ConsentStatement
	Conversation string // RefToConversation
	Parent       string // RefToParent
	Thread       string // the id of what it is about, of a message that names what it changes by that alone (henvisning v1.x)
	Threaded     bool   // it is such a message
	Change       Change
	National     NIN
	Fault        NationalFault // set when National is zero
	Generated    time.Time
	GenDate      string // as written: an AppRec repeats it
	Document     []byte
	Digest       [32]byte
	At           time.Time // when it was claimed
	State        MessageState
	Actor        Actor // who handed it in
	Whole        bool  // who handed it in has said: whole, or not at all
}

// AppRecStatus is kodeverk 8258.
type AppRecStatus uint8

// The values of kodeverk 8258.
const (
	NoAppRec             AppRecStatus = 0
	AppRecOK             AppRecStatus = 1
	AppRecRejected       AppRecStatus = 2
	OKErrorInMessagePart AppRecStatus = 3
)

// AppRecError is one error of an AppRec: kodeverk 8221 and a text for people.
type AppRecError struct {
	Code string
	Text string
}

// AppRec is an applikasjonskvittering (HIS 80415) as values.
type AppRec struct {
	MsgID    MsgID // its own
	From     HERID // the receiver of the original
	To       HERID // the sender of the original
	Original MsgID
	Status   AppRecStatus
	Errors   []AppRecError
	At       time.Time
}

// Submission is a document as it is handed in.
type Submission struct {
	Document []byte
	Only     []HERID // the receivers that are to be handled; nil: all that the document names
	Whole    bool    // it goes whole or not at all, whatever its type
	origin   origin  // zero: the message API
}

// Receipt tells what became of a message that was handed in.
type Receipt struct {
	ID       MessageID
	State    MessageState
	Repeated bool // the same sender, MsgId and bytes were here before: the first id is given
}

// Section is a part of a message, as the mapping table names it.
type Section struct {
	Path    string // stable place in the document
	Name    string // heading, for reports: a category, never content
	Labels  Labels // of the table
	Where   string // it tells where the person is, and so does this element of a record of the section around it: "location"
	Dropped bool   // never crosses by this message type: free text of LOG_*
	Unknown bool   // what no schema knows: withheld for that, not for lack of samtykke
	Head    bool   // what every delivery of the message carries: when it may not cross, nothing does
}

// Delivery is a mapped message, ready to be decided part by part and stored.
type Delivery struct {
	Resources    []DeliveredResource
	Sections     []Section
	AllOrNothing bool // XML signature, epikrise, henvisning
	Unreadable   bool // an attachment could not be read: AppRec status 3
	Responsible  []Responsible
	Report       []byte // JSON: where each leaf of the document went; holds no value of it
}

// DeliveredResource is one resource of a mapped message and the section it was made from.
type DeliveredResource struct {
	Type    fhir.Type
	ID      fhir.ID
	Section string // Section.Path; "" for what belongs to the message as a whole
	Whole   bool   // holds or points at the whole original: crosses only when all of it does
	Body    []byte // JSON without meta
}

// Content is what a stored message consists of, kept so that every fetch decides anew.
type Content struct {
	Resources    []ContentResource
	Sections     []Section
	AllOrNothing bool
	Unreadable   bool            `json:",omitempty"` // Delivery.Unreadable
	Reason       Reason          `json:",omitempty"` // why nothing of it crosses, whatever the consents say
	Faults       []fhir.Issue    `json:",omitempty"` // of the content: places and codes, never a value
	Notice       bool            `json:",omitempty"` // it tells of a withdrawal
	Relayed      bool            // the resources are the sender's own records: one that is not covered stops all
	Report       json.RawMessage `json:",omitempty"`
}

// ContentResource is one stored version that came with a message.
type ContentResource struct {
	Record   fhir.Reference // with Version
	Section  string
	Whole    bool
	Included Labels // labels of the parts that a relayed document was rendered with
}

// Reason is why a message, or parts of it, did not reach a receiver: what an AppRec tells.
type Reason string

// The reasons. Every one has a row in the AppRec table of package exchange.
const (
	NoReason         Reason = ""
	ConsentMissing   Reason = "consent-missing"
	ReceiverUnknown  Reason = "receiver-unknown"
	ReceiverClosed   Reason = "receiver-closed" // in the directory, and not in use
	KindNotTaken     Reason = "kind-not-taken"  // by that address: Verdict.Instead
	NINMissing       Reason = "nin-missing"
	NINWrong         Reason = "nin-wrong"
	KindUnknown      Reason = "kind-unknown"
	ContentInvalid   Reason = "content-invalid"
	ContentUnknown   Reason = "content-unknown"
	AttachmentFault  Reason = "attachment-unreadable"
	FreeTextDropped  Reason = "free-text-dropped"
	ParentUnnamed    Reason = "parent-unnamed" // a change or cancellation that does not say of what
	ProcessingFailed Reason = "processing-failed"
	ReceiverRejected Reason = "receiver-rejected"
)

// Verdict is what was decided for one receiver of a message.
type Verdict struct {
	Receiver  Addressee
	Party     HERID // "" when it is none of ours
	Crosses   bool  // something reaches the receiver
	Withheld  []Section
	Missing   Labels // labels of what was withheld that no samtykke covers
	Reasons   []Reason
	Faults    []fhir.Issue // where the content breaks which rule: with ContentInvalid and KindUnknown
	Instead   []Addressee  // of the receiver's party, who take the message: with KindNotTaken
	Citations []Citation
	masks     []Labels // per resource: what was covered, 0 when it does not cross
	cited     [][]Citation
	manual    bool      // adressesperre kode 6: somebody must see to it
	until     time.Time // when the decision may become another by itself
}

// Envelope is one message in a mailbox.
type Envelope struct {
	Key      int64 // place in the mailbox
	Receiver HERID
	Party    HERID // of the receiver
	Message  Message
	Person   PersonID // of the message's patient; zero for an AppRec
	Content  Content
	Withheld []string // paths withheld at receipt: never released later by this message
	Whole    bool     // its sender has said for this receiver: whole, or not at all; kept from Message.Whole when it is delivered
	AppRec   bool
	Read     bool
	Fetched  []byte    // the document as it was fetched; nil before
	FetchBy  time.Time // by when it must be fetched; zero: nobody waits for it
	LookAt   time.Time // when to look whether it still may be; FetchBy at the latest

	Disclosed []AuditEntity // on being delivered: what crosses, and on which Consents
}

// MailQuery selects unread entries of mailboxes.
type MailQuery struct {
	Party      HERID // whose mailboxes
	Receivers  []HERID
	Sender     HERID
	MsgID      MsgID
	Descending bool
	Limit      int
	AfterAt    time.Time // place of the last entry seen, zero for the first page
	AfterKey   int64
}

// Listed is a line of a mailbox listing.
type Listed struct {
	ID        MessageID
	Receiver  HERID
	Sender    HERID
	MsgID     MsgID
	Generated time.Time
	AppRec    bool
}

// DeliveryStatus tells the sender about one receiver of its message.
type DeliveryStatus struct {
	Receiver  HERID
	Delivered bool // lies in the receiver's mailbox
	Fetched   bool
	Status    AppRecStatus
	Errors    []AppRecError
}

// Statement is what a receiver's own system has said of a message.
type Statement struct {
	Status   AppRecStatus
	Errors   []AppRecError
	Document MessageID
}

// Same tells whether the statement says this; texts are not compared, which people word anew.
func (s Statement) Same(status AppRecStatus, errs []AppRecError) bool {
	return s.Status == status && slices.EqualFunc(s.Errors, errs, func(a, b AppRecError) bool { return a.Code == b.Code })
}

// Order is one outbound message in the queue.
type Order struct {
	Key           int64
	Communication fhir.Reference // with the Version that ordered it
	Party         HERID          // the sender's
	Sender        Addressee
	Receiver      Addressee
	ReceiverParty HERID
	Person        PersonID
	MsgID         MsgID
	Conversation  string
	Parent        string
	Message       MessageID // its id once rendered
	Tries         int
	State         MessageState
	Deadline      time.Time // when the AppRec must be here, once sent
	Actor         Actor
	Notice        bool // it tells of a withdrawal, and holds nothing else
}

// OutboundRecord is one record to be sent, as the receiver may have it.
type OutboundRecord struct {
	Reference fhir.Reference
	Body      []byte
}

// Outbound is what a document is rendered from.
type Outbound struct {
	Order         Order
	Thread        string // Message.Thread of the message that this one changes or supplements; "" when there is none
	At            time.Time
	From, To      Party
	Patient       []byte // the sender's Patient
	Communication []byte
	Records       []OutboundRecord // only what the decision covers
}

// Translator turns business documents into values and back. It is pure: package exchange
// implements it on package mapping.
type Translator interface {
	Orders
	// Head reads who sends what to whom about whom. An error of code Malformed or NotSupported
	// means that nothing can be kept under a name: the document is refused at the door.
	Head(document []byte) (Message, error)
	// Map gives resources and sections, with the DocumentReference and Binary that keep the document
	// as it came. id names each resource: it is asked once for each key.
	// Errors: NotSupported for an unknown type, Malformed or Invalid for a broken one.
	Map(m Message, id func(t fhir.Type, key string) fhir.ID) (Delivery, error)
	// Original makes the DocumentReference and Binary of a document that cannot be mapped.
	Original(m Message, patient fhir.Reference, id func(t fhir.Type, key string) fhir.ID) ([]DeliveredResource, error)
	// Withhold gives a copy of the document less these sections, with the constant heading that
	// parts may be left out.
	Withhold(document []byte, paths []string) ([]byte, error)
	// Acknowledge gives what the AppRec for a verdict says.
	Acknowledge(v Verdict) (AppRecStatus, []AppRecError)
	// WriteAppRec renders an AppRec; m is the message it answers.
	WriteAppRec(a AppRec, m Message) ([]byte, error)
	// ReadAppRec reads one.
	ReadAppRec(document []byte) (AppRec, error)
	// Category is the name people use for each label, for texts to the sender.
	Category(l Labels) string
}

// Exchange is the part of a transaction that keeps messages: inbox, mailbox and outbox.
// Errors are *Error.
type Exchange interface {
	Inbox
	Mailbox
	Outbox
	Transports
}

// Inbox keeps what was handed in.
type Inbox interface {
	// Claim keeps the raw message under (sender, MsgId) for ever. A repetition with the same
	// digest gives the first receipt; with another digest Conflict, the original untouched. One that
	// names receivers which the first did not is Received again, with the new receivers added. Whole holds from when it is
	// said: for every receiver that is not handled yet.
	Claim(ctx context.Context, m Message) (Receipt, error)
	// Reused marks that a MsgId was used for two contents; true: for the first time.
	Reused(ctx context.Context, m Message) (bool, error)
	// Kept gives a claimed message with what it consists of; NotFound while it was never settled.
	Kept(ctx context.Context, id MessageID) (Envelope, error)
	// Share adds a receiver to those that the current version of an own record was sent to.
	Share(ctx context.Context, custodian HERID, record fhir.Reference, to Sent) error
	// Pending lists messages whose bytes are here and whose effect is not, oldest first.
	Pending(ctx context.Context, now time.Time, limit int) ([]MessageID, error)
	// Take locks a claimed message until the transaction ends; NotFound when it is settled.
	Take(ctx context.Context, id MessageID) (Message, error)
	// Postpone counts a failed try and sets the time of the next; it gives the number of tries.
	Postpone(ctx context.Context, id MessageID, next time.Time) (int, error)
	// Serialize makes transactions with the same key follow each other; the later one sees all
	// that the earlier one wrote, if need be by running again.
	Serialize(ctx context.Context, key string) error
	// Settle ends the work on a message and keeps what it consists of.
	Settle(ctx context.Context, m Message, person PersonID, c Content, s MessageState) error
	// Lay keeps a message that Sluse itself wrote, with what it consists of.
	Lay(ctx context.Context, m Message, person PersonID, c Content) error
	// Settled gives messages of the sender's party by MsgId (parent) with their content; none
	// when it is not here, or not settled yet.
	Settled(ctx context.Context, party HERID, id MsgID) ([]Envelope, error)
	// Threaded gives earlier settled messages of the party about the person with that Thread, with their content.
	Threaded(ctx context.Context, m Message, person PersonID) ([]Envelope, error)
	// ThreadFollowers tells what later settled messages of the party about the person with that Thread do to the message: of
	// two that were made at one time, a cancellation is the later, and what is no change the earlier. ThreadTasks lists the
	// Tasks of these, which wait for what they change.
	ThreadFollowers(ctx context.Context, m Message, person PersonID) ([]Change, error)
	ThreadTasks(ctx context.Context, m Message, person PersonID) ([]OwnedTask, error)
	// Answers gives settled messages of the party about the person that name the message as their parent, with their content.
	Answers(ctx context.Context, party HERID, parent MsgID, person PersonID) ([]Envelope, error)
	// Followers tells what settled messages of the party about the person do to the message.
	Followers(ctx context.Context, party HERID, id MsgID, person PersonID) ([]Change, error)
	// PatientOf finds the custodian's own Patient with that current national identifier; zero
	// Reference when there is none.
	PatientOf(ctx context.Context, custodian HERID, n NIN) (fhir.Reference, error)
	// PatientFor finds the custodian's own Patient of a person; zero Reference when there is none.
	PatientFor(ctx context.Context, custodian HERID, person PersonID) (fhir.Reference, error)
}

// Mailbox keeps what lies ready for receivers.
type Mailbox interface {
	// Deliver lays a message in a receiver's mailbox; a second time is no effect.
	Deliver(ctx context.Context, e Envelope) error
	// State keeps what the receiver's own system says of a message, once. The first statement is
	// given, with true when it is this one.
	State(ctx context.Context, m MessageID, receiver HERID, status AppRecStatus, errors []AppRecError, document MessageID) (Statement, bool, error)
	// Answer keeps the one AppRec of a receiver for a message. false: there was one already.
	Answer(ctx context.Context, m MessageID, receiver HERID, status AppRecStatus, errors []AppRecError, document MessageID) (bool, error)
	// Unread lists entries, by time of generation.
	Unread(ctx context.Context, q MailQuery) ([]Envelope, error)
	// Entries gives the entries of one message for the receivers of a party; with the documents.
	Entries(ctx context.Context, id MessageID, party HERID) ([]Envelope, error)
	// Sent gives a message of the party that handed it in, by id, and whom it is about; NotFound
	// otherwise.
	Sent(ctx context.Context, id MessageID, party HERID) (Message, PersonID, error)
	// Statuses tells how it went with each receiver.
	Statuses(ctx context.Context, id MessageID) ([]DeliveryStatus, error)
	// MarkRead takes an entry off the list of unread ones; NotFound when it is not there.
	MarkRead(ctx context.Context, id MessageID, receiver HERID) error
	// Unfetched locks entries that somebody waits to see fetched and that are to be looked at now; LookAgain sets
	// when the next time, and Reminded takes one of them off that list.
	Unfetched(ctx context.Context, now time.Time, limit int) ([]Envelope, error)
	LookAgain(ctx context.Context, key int64, at time.Time) error
	Reminded(ctx context.Context, key int64) error
	// NoteTask ties a Task to an entry: it ends when what it waits for comes. NotedTasks lists them.
	NoteTask(ctx context.Context, m MessageID, receiver HERID, t OwnedTask) error
	NotedTasks(ctx context.Context, m MessageID, receiver HERID) ([]OwnedTask, error)
	// Fetch keeps the bytes that a receiver fetched, the first time, and which versions it now has.
	Fetch(ctx context.Context, key int64, document []byte, versions []FetchedVersion) error
}

// Outbox keeps what is to be sent.
type Outbox interface {
	// Enqueue adds an order.
	Enqueue(ctx context.Context, o Order) error
	// Next locks the next order whose turn it is: the lowest of its sender, receiver and person.
	// NotFound when there is none.
	Next(ctx context.Context, now time.Time) (Order, error)
	// Advance sets the state of an order, with message, deadline and tries; next is the time of the
	// next try for one that stays queued.
	Advance(ctx context.Context, o Order, next time.Time, reason string) error
	// Ordered finds the order that a message came from, locked; NotFound when it is none.
	Ordered(ctx context.Context, message MessageID, receiver HERID) (Order, error)
	// Conversation gives MsgId and conversation of the message that a Communication came with or was
	// sent as, when the party sent it or has it in its mailbox; "" otherwise.
	Conversation(ctx context.Context, party HERID, communication fhir.Reference) (msgID, conversation string, err error)
	// Original finds the message that an AppRec answers: sent from and with that MsgId, and laid
	// ready for the receiver. Message.Party of the envelope is the sender's party, Party the
	// receiver's. NotFound when there is none.
	Original(ctx context.Context, sender HERID, id MsgID, receiver HERID) (Envelope, error)
	// Park keeps an AppRec that is here before what it answers. Parked gives those that were waiting for a
	// message, with their documents, and waits for them no more.
	Park(ctx context.Context, a AppRec, document MessageID) error
	Parked(ctx context.Context, sender HERID, original MsgID, receiver HERID) ([]Message, error)
	// Placed tells whether a Communication was ever ordered to be sent.
	Placed(ctx context.Context, party HERID, communication fhir.ID) (bool, error)
	// Noticed tells whether a message of Sluse's own words was ever ordered from one party to another about the person that
	// answers a message.
	Noticed(ctx context.Context, from, to HERID, parent MsgID, person PersonID) (bool, error)
	// Open counts orders of a Communication that are not ended, and those not accepted.
	Open(ctx context.Context, party HERID, communication fhir.ID) (open, failed int, err error)
	// Overdue locks orders whose AppRec is not here in time.
	Overdue(ctx context.Context, now time.Time, limit int) ([]Order, error)
}
