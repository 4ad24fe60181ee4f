package gateway

import (
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// Citation names the basis of one release: which provision of which version of which Consent,
// and the paragraph. The zero Citation is the party's own record.
type Citation struct {
	Consent   fhir.Reference // with Version
	Path      string         // "Consent.provision.provision[1]"
	Law       string         // stable code: "HPL22", "PBRL53"
	Paragraph string         // as people read it: "hpl. § 22"
}

// AuditOutcome tells how an access ended.
type AuditOutcome string

// Outcomes.
const (
	Released AuditOutcome = "released"
	Refused  AuditOutcome = "refused"
	Written  AuditOutcome = "written"
)

// AuditEntity is one record that an access touched.
type AuditEntity struct {
	Record    fhir.Reference // with Version
	Custodian HERID
	Citations []Citation
	Withheld  Labels // labels of parts that were removed
}

// AuditEntry is one line of the ledger: one access, one patient. Package audit renders it as
// an AuditEvent (IHE BALP); the store writes it in the transaction of what it records.
type AuditEntry struct {
	ID          string // UUID, random
	Recorded    time.Time
	Interaction InteractionCode
	Outcome     AuditOutcome
	Code        Code // why refused
	Actor       Actor
	Party       Party // of the actor, as the directory had it
	Person      PersonID
	Alias       string // of the person towards the asking party: another party's has another; set by the store
	Entities    []AuditEntity
	Type        fhir.Type // what was asked for
	Query       string    // canonical search, values of national identifiers left out
	Policy      string    // policy revision
	Message     string    // MsgId, for messages
}
