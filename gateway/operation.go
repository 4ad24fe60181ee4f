package gateway

import (
	"context"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// OperationName is the name of an operation without its "$" (R4 operations.html).
type OperationName string

// The operations.
const (
	Everything OperationName = "everything"  // R4 patient-operation-everything.html
	Validation OperationName = "validate"    // R4 resource-operation-validate.html
	Meta       OperationName = "meta"        // R4 resource-operation-meta.html
	MetaAdd    OperationName = "meta-add"    // R4 resource-operation-meta-add.html
	MetaDelete OperationName = "meta-delete" // R4 resource-operation-meta-delete.html
	Populate   OperationName = "populate"    // SDC OperationDefinition-Questionnaire-populate.html
	Extract    OperationName = "extract"     // SDC OperationDefinition-QuestionnaireResponse-extract.html
	Document   OperationName = "document"    // R4 composition-operation-document.html, of a CarePlan
	Explain    OperationName = "explain"     // Consent: how a decision would fall, or fell
	Simulate   OperationName = "simulate"    // Consent: what a draft would release
	Disclosed  OperationName = "disclosures" // Consent: what has left on it
	Confirm    OperationName = "confirm"     // Consent, CareTeam: to stand by a version
	Withhold   OperationName = "withhold"    // any record: to keep it from the person it is about (pbrl. § 5-1)
	Protect    OperationName = "protect"     // Patient: adressesperre
	Hjemmel    OperationName = "hjemmel"     // system: a legal basis for sending, on or off
)

// Operation is what an operation is asked to do, besides the Target of its Interaction. Body of the
// Interaction is the resource that it was given, if any; Search tells how an answer of pages is paged.
type Operation struct {
	Name      OperationName
	Types     []fhir.Type    // everything, meta: the types looked at, those of the directory among them
	Since     time.Time      // everything: versions made at or after this instant; zero: all
	Low, High time.Time      // everything: records whose date touches [Low, High), and undated ones; zero: open
	Mode      fhir.Mode      // validate
	Profiles  []string       // validate: canonical URLs
	Subject   fhir.Reference // populate: the Patient
	Canonical string         // populate: the Questionnaire, where Target has no id
	Meta      *fhir.Value    // meta-add, meta-delete
	Version   string         // confirm: the version that is stood by
	Code      string         // withhold: nektet, utsatt, tredjepart or opphevet; protect: the grade
	Active    bool           // hjemmel: on; Code is its name
	Reason    string         // withhold, protect, hjemmel: why; High of withhold is when it ends
	Inquiry   Inquiry        // explain
	Language  Language       // explain, simulate: of the texts

	// Outcome writes findings as an OperationOutcome in the language of who asks; nil: simulate tells none.
	Outcome func([]fhir.Issue) []byte
}

// operation is the part of an operation that runs on one snapshot.
type operation func(*Gateway, context.Context, View, asked, Interaction) (looked, error)

var operations = map[OperationName]operation{
	Everything: (*Gateway).everythingAt,
	Validation: (*Gateway).validateAt,
	Meta:       (*Gateway).metaAt,
	Populate:   (*Gateway).populateAt,
	Extract:    (*Gateway).extractAt,
	Document:   (*Gateway).documentAt,
	Explain:    (*Gateway).explainAt,
	Simulate:   (*Gateway).simulateAt,
	Disclosed:  (*Gateway).disclosuresAt,
}

// operate performs an operation. Those that change something are writes; all others look at one
// snapshot, and their lines of the ledger are durable before the answer leaves.
func (g *Gateway) operate(ctx context.Context, a Actor, in Interaction) (Outcome, error) {
	const op = "gateway.operate"
	if in.Operation.Name == MetaAdd || in.Operation.Name == MetaDelete {
		return g.changeMeta(ctx, a, in)
	}
	if in.Operation.Name == Confirm {
		return g.confirm(ctx, a, in)
	}
	switch in.Operation.Name {
	case Withhold:
		return g.withholdAt(ctx, a, in)
	case Protect:
		return g.setShield(ctx, a, in)
	case Hjemmel:
		return g.switchHjemmel(ctx, a, in)
	}
	perform, ok := operations[in.Operation.Name]
	if !ok {
		return Outcome{}, Fault(op, NotSupported, fhir.Issue{Severity: "error", Type: "not-supported", Code: "interaction"})
	}
	var seen looked
	err := g.Store.Snapshot(ctx, func(v View) error {
		who, err := g.resolve(ctx, v, a)
		if err != nil {
			return err
		}
		seen, err = perform(g, ctx, v, who, in)
		return err
	})
	if err != nil {
		return Outcome{}, err
	}
	if len(seen.entries) > 0 || len(seen.fetched) > 0 {
		if err := g.record(ctx, seen.entries, seen.fetched); err != nil {
			return Outcome{}, err
		}
	}
	return seen.out, seen.refusal
}

// refusedAt is a refusal on a snapshot, with its line of the ledger.
func (g *Gateway) refusedAt(who asked, in Interaction, person PersonID, refusal *Error) (looked, error) {
	entry, err := g.refusal(who, in, person, refusal.Code)
	return looked{refusal: refusal, entries: []AuditEntry{entry}}, err
}

// look reads one record as a read does, and tells in the ledger for which operation.
func (g *Gateway) look(ctx context.Context, v View, who asked, in Interaction) (looked, error) {
	read := Interaction{Code: Read, Target: in.Target}
	if in.Target.Version != "" {
		read.Code = VRead
	}
	seen, err := g.readAt(ctx, v, who.Actor, read)
	if err != nil {
		return looked{}, err
	}
	if IsDirectory(in.Target.Type) {
		seen.entries = nil
	}
	for i := range seen.entries {
		seen.entries[i].Interaction, seen.entries[i].Query = Operate, in.Search.Canonical
	}
	return seen, nil
}

// parsed reads a record that has been released: operations look at nothing else of it.
func (r Release) parsed() (*fhir.Resource, error) {
	res, err := fhir.ParseLimits(r.body, storedLimits)
	if err != nil {
		return nil, Failed("gateway.operate", Internal, err)
	}
	return res, nil
}

// many are limits for what Sluse has put together itself of what is stored.
func many(body []byte) fhir.Limits {
	return fhir.Limits{Bytes: len(body) + 1, Nodes: len(body) + 1}
}
