package consent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// Decider is the policy decision point: Rego's `scope`, prepared once, over an index of the
// person's grants that is built once for each epoch and period. Its answers are shared between
// callers and must not be changed.
type Decider struct {
	*tables
	revision  string
	query     rego.PreparedEvalQuery
	terms     *interned
	indexes   *lru.Cache[indexKey, *index]
	decisions *lru.Cache[decisionKey, *remembered]
	askers    *lru.Cache[askerKey, *asker]
}

var _ gateway.Decider = (*Decider)(nil)

// Config sizes a Decider. The zero value is fit for use.
type Config struct {
	Decisions int // answers remembered; 16384 when zero
	Persons   int // persons whose grants are kept indexed; 2048 when zero
}

// errInput is the deny of a question that does not fit together.
var errInput = errors.New("consent: question does not fit together")

// NewDecider compiles the policies. An error means that the program is built wrongly.
func NewDecider(ctx context.Context, c Config) (*Decider, error) {
	if c.Decisions == 0 {
		c.Decisions = 16384
	}
	if c.Persons == 0 {
		c.Persons = 2048
	}
	t, err := loadTables()
	if err != nil {
		return nil, err
	}
	d := &Decider{tables: t, terms: newInterned()}
	if d.query, d.revision, err = prepare(ctx, "data.sluse.scope.decision", rego.GenerateJSON(literal)); err != nil {
		return nil, err
	}
	if d.indexes, err = lru.New[indexKey, *index](c.Persons); err != nil {
		return nil, fmt.Errorf("consent: %w", err)
	}
	if d.decisions, err = lru.New[decisionKey, *remembered](c.Decisions); err != nil {
		return nil, fmt.Errorf("consent: %w", err)
	}
	if d.askers, err = lru.New[askerKey, *asker](4096); err != nil {
		return nil, fmt.Errorf("consent: %w", err)
	}
	return d, nil
}

// Revision identifies the rules with their data.
func (d *Decider) Revision() string { return d.revision }

// decisionKey is what an answer may depend on (DESIGN § 3, Epoch), besides the policy of this
// Decider and the period, which the entry itself holds.
type decisionKey struct {
	person  gateway.PersonID
	epoch   int64
	action  gateway.Action
	typ     fhir.Type
	purpose gateway.Purpose
	class   class
}

// class is all of the actor that the rules look at.
type class struct {
	kind      gateway.Kind
	party     gateway.HERID
	unit      gateway.HERID
	hpr       gateway.HPRNumber
	role      string
	above     string
	partyID   gateway.HERID
	own       gateway.PersonID
	attested  bool
	noPatient bool
}

type remembered struct {
	from, until time.Time
	decision    gateway.Decision
}

// Decide answers the question. An answer found for the same key holds from the last period
// boundary to the next; a question without patient is decided anew each time.
func (d *Decider) Decide(ctx context.Context, q gateway.Question) (gateway.Decision, error) {
	k := decisionKey{
		person: q.Facts.Person, epoch: q.Facts.Epoch, action: q.Action, typ: q.Type, purpose: q.Actor.Purpose,
		class: class{
			kind: q.Actor.Kind, party: q.Actor.Party, unit: q.Actor.Unit, hpr: q.Actor.Practitioner,
			role: q.Actor.Role, partyID: q.Party.ID, own: q.Own, attested: attested(q.Actor), noPatient: !q.Named,
			above: above(q.Parts),
		},
	}
	if q.Named {
		if r, ok := d.decisions.Get(k); ok && !q.Now.Before(r.from) && q.Now.Before(r.until) {
			return r.decision, nil
		}
	}
	decision, from, err := d.decide(ctx, q)
	if err != nil {
		return gateway.Decision{}, err
	}
	if q.Named {
		d.decisions.Add(k, &remembered{from: from, until: decision.Until, decision: decision})
	}
	return decision, nil
}

// above joins the parties above the actor's, for a key.
func above(parties []gateway.HERID) string {
	if len(parties) == 0 {
		return ""
	}
	var b strings.Builder
	for _, p := range parties {
		b.WriteString(string(p))
		b.WriteByte(' ')
	}
	return b.String()
}

func attested(a gateway.Actor) bool { return a.Attest.Each || !a.Attest.NIN.IsZero() }

// decide asks Rego. An error of any kind is a deny.
func (d *Decider) decide(ctx context.Context, q gateway.Question) (gateway.Decision, time.Time, error) {
	ix, err := d.index(q.Facts, q.Now)
	if err != nil {
		return gateway.Decision{}, time.Time{}, err
	}
	own := q.Party.ID
	if own == "" {
		own = q.Actor.Party // drift need not be in the directory that it keeps
	}
	asker := d.asker(q, own)
	a, err := d.ask(ctx, q, ix, asker)
	if err != nil {
		return gateway.Decision{}, time.Time{}, err
	}
	out := gateway.Decision{Policy: d.revision, Until: ix.until, Looked: ix.looked, Reason: "consent"}
	s := gateway.Scope{Revision: d.revision, Except: d.except, Write: a.write, Self: a.self, Fetched: a.fetched}
	if a.own {
		s.Own = own
	}
	switch {
	case a.self:
		s.Person = q.Own
	case q.Named:
		s.Person = q.Facts.Person
	}
	d.ledger(&s, a.ledger, q)
	if a.consents {
		s.Except, s.Terms, out.Citations = nil, d.ownConsents(), d.insight()
	}
	if a.join {
		s.Join = &gateway.Join{Permits: asker.permits, Denies: asker.denies, Roles: []string{asker.role},
			Purposes: []gateway.Purpose{d.purposeOf(q.Actor)}, Now: q.Now}
		out.Until = q.Now
	}
	ix.expand(&s, &out, a, q.Action == gateway.ReadAction, asker.role)
	if a.own || a.write || s.Ledger.Asker != "" || s.Ledger.Person != 0 || len(s.Ledger.Compliance) > 0 || len(s.Terms) > 0 || s.Join != nil {
		out.Effect, out.Scope, out.Reason = gateway.Allow, s, ""
	}
	return out, ix.from, nil
}

// ledger says which accesses the actor may look up.
func (d *Decider) ledger(s *gateway.Scope, which string, q gateway.Question) {
	switch which {
	case "ledger-party":
		s.Ledger = gateway.LedgerScope{Asker: q.Party.ID, Custodian: q.Party.ID}
	case "ledger-person":
		s.Ledger = gateway.LedgerScope{Person: q.Own}
	case "ledger-compliance":
		s.Ledger = gateway.LedgerScope{Compliance: append([]gateway.HERID{q.Party.ID}, d.complianceOf[string(q.Party.ID)]...)}
	}
}

// ownConsents is what the person reads of herself besides her own records: every Consent about her.
func (d *Decider) ownConsents() []gateway.Term {
	var out []gateway.Term
	for _, sent := range []bool{false, true} {
		out = append(out, gateway.Term{
			Effect: gateway.Allow, Sent: sent, Custodians: gateway.Every[gateway.HERID](),
			Types: gateway.Only[fhir.Type]("Consent"), Items: gateway.Every[fhir.Reference](), Mask: gateway.AllLabels})
	}
	return out
}

func (d *Decider) insight() []gateway.Citation {
	return []gateway.Citation{{Law: "PBRL51", Paragraph: d.laws["PBRL51"].text("")}}
}

// purposeOf is the purpose that the rules know; "?" when none is told or it is unknown.
func (d *Decider) purposeOf(a gateway.Actor) gateway.Purpose {
	if _, ok := d.purposes[string(a.Purpose)]; !ok {
		return untold
	}
	return a.Purpose
}

// answer is Rego's document.
type answer struct {
	own, self, fetched, consents, join, write bool
	plain, sent                               bool // terms for what is asked, and for what was sent by message
	ledger                                    string
	chosen                                    []int
}

// asker is an actor as the rules see it; the same for every patient.
type asker struct {
	permits, denies   []gateway.Recipient
	role              string
	asPermits, asDeny *ast.Term
	asContexts        *ast.Term
}

type askerKey struct {
	who     who
	purpose gateway.Purpose
	above   string
}

// asker gives the actor's keys as terms, made once for each actor and purpose.
func (d *Decider) asker(q gateway.Question, party gateway.HERID) *asker {
	w := d.told(q.Actor)
	w.party = party
	k := askerKey{w, d.purposeOf(q.Actor), above(q.Parts)}
	if found, ok := d.askers.Get(k); ok {
		return found
	}
	a := &asker{permits: permitKeys(w), denies: denyKeys(w, q.Parts), role: orUntold(w.code)}
	a.asPermits, a.asDeny = d.terms.list(a.permits), d.terms.list(a.denies)
	a.asContexts = d.terms.contextsOf(string(k.purpose))
	d.askers.Add(k, a)
	return a
}

// ask evaluates the prepared query on parsed terms.
func (d *Decider) ask(ctx context.Context, q gateway.Question, ix *index, by *asker) (answer, error) {
	t := d.terms
	input := ast.NewObject(
		[2]*ast.Term{t.kind, t.kindOf(q.Actor.Kind)},
		[2]*ast.Term{t.action, t.text(string(q.Action))},
		[2]*ast.Term{t.typ, t.text(string(q.Type))},
		[2]*ast.Term{t.attested, ast.InternedTerm(attested(q.Actor))},
		[2]*ast.Term{t.named, ast.InternedTerm(q.Named)},
		[2]*ast.Term{t.known, ast.InternedTerm(!q.Named || q.Facts.Person != 0)},
		[2]*ast.Term{t.herself, ast.InternedTerm(q.Own != 0 && (!q.Named || q.Facts.Person == q.Own))},
		[2]*ast.Term{t.now, ast.NewTerm(ast.Number(itoa64(q.Now.UnixNano())))},
		[2]*ast.Term{t.permits, by.asPermits},
		[2]*ast.Term{t.denies, by.asDeny},
		[2]*ast.Term{t.contexts, by.asContexts},
		[2]*ast.Term{t.index, ix.term},
	)
	rs, err := d.query.Eval(ctx, rego.EvalParsedInput(input), rego.EvalMetrics(metrics.NoOp()))
	if err != nil {
		return answer{}, fmt.Errorf("consent: %w", err)
	}
	if len(rs) != 1 || len(rs[0].Expressions) != 1 {
		return answer{}, fmt.Errorf("consent: no answer")
	}
	return d.readAnswer(rs[0].Expressions[0].Value, len(ix.cells))
}

// readAnswer reads Rego's document strictly: what is missing or of another kind is an error.
func (d *Decider) readAnswer(v any, cells int) (answer, error) {
	term, ok := v.(*ast.Term)
	if !ok {
		return answer{}, fmt.Errorf("consent: answer is %T", v)
	}
	m, ok := term.Value.(ast.Object)
	if !ok {
		return answer{}, fmt.Errorf("consent: answer is no object")
	}
	r := resultReader{m: m}
	var a answer
	r.each(d.terms.rights, func(t *ast.Term) {
		right, _ := t.Value.(ast.String)
		switch right {
		case "own":
			a.own = true
		case "self":
			a.self = true
		case "fetched":
			a.fetched = true
		case "consents":
			a.consents = true
		case "join":
			a.join = true
		case "write":
			a.write = true
		case "ledger-party", "ledger-person", "ledger-compliance":
			a.ledger = string(right)
		default:
			r.fail(d.terms.rights)
		}
	})
	if list := m.Get(d.terms.actions); list != nil {
		actions, ok := list.Value.(*ast.Array)
		if !ok {
			r.fail(d.terms.actions)
			return answer{}, r.err
		}
		a.plain, a.sent = actions.Len() > 0, actions.Len() > 1
	}
	a.chosen = r.numbers(d.terms.permits, cells, make([]int, 0, 16))
	a.chosen = r.numbers(d.terms.denies, cells, a.chosen)
	return a, r.err
}
