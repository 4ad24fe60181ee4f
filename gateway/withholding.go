package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// Withholding is what a named person at the custodian has decided about a record: that the person it is
// about may not read it, or not yet (pbrl. § 5-1, fvl. § 19). Nobody else's access is another by it.
type Withholding struct {
	Record fhir.Reference // without version: it holds for every one
	Kind   string         // nektet, utsatt or tredjepart (policies/data/insight.json)
	Until  time.Time      // utsatt: it ends by itself; zero: until it is lifted
	Reason string         // as it is told to her
	By     string         // who decided, by name
	Party  string         // and the party's name
	At     time.Time

	told string // what she is told of it
}

// lifted is the code by which a withholding is taken back.
const lifted = "opphevet"

// Withholdings keeps them. Errors are *Error.
type Withholdings interface {
	// Withhold keeps a decision about a record of the person, instead of an earlier one; one without a Kind
	// takes it back. Her epoch rises.
	Withhold(ctx context.Context, person PersonID, w Withholding) error
	// WithholdFrom lets a decision about a record, if there is one, hold for whom the record is about now.
	// The epochs of both persons rise.
	WithholdFrom(ctx context.Context, record fhir.Reference, was, now PersonID) error
}

// EncodeWithholdings is the form in which they lie beside a person's epoch.
func EncodeWithholdings(list []Withholding) ([]byte, error) {
	b, err := json.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("encode withholdings: %w", err)
	}
	return b, nil
}

// DecodeWithholdings reads them; what cannot be read is an error, and so a refusal.
func DecodeWithholdings(b []byte) ([]Withholding, error) {
	if len(b) == 0 {
		return nil, nil
	}
	var list []Withholding
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, fmt.Errorf("decode withholdings: %w", err)
	}
	return list, nil
}

// holds tells whether the decision stands at the time.
func (w Withholding) holds(now time.Time) bool { return w.Until.IsZero() || now.Before(w.Until) }

// words is what she is told: that it is withheld, by whom, why, until when, and how to complain.
func (w Withholding) words(p Protection) string {
	by := w.Party
	if w.By != "" {
		by = w.By + ", " + w.Party
	}
	until := ""
	if !w.Until.IsZero() {
		until = w.Until.In(fhir.Oslo()).Format("02.01.2006 kl. 15.04")
	}
	reason := w.Reason
	if last := len(reason) - 1; last >= 0 && reason[last] != '.' {
		reason += "."
	}
	return worded(p.Insight[w.Kind], by, reason, until) + " " + p.Complaint
}

// withheldFrom gives what the patient who asks may not read of herself now. Facts about her must be there:
// without them she reads nothing across.
func (g *Gateway) withheldFrom(who asked, q Question) ([]Withholding, bool, error) {
	facts := q.Facts
	if facts.Person != who.own {
		facts = who.self
	}
	if who.own <= 0 || facts.Person != who.own {
		return nil, false, nil
	}
	all, err := DecodeWithholdings(facts.Withheld)
	if err != nil {
		return nil, false, Failed("gateway.withheld", Internal, err)
	}
	now := q.Now
	standing := all[:0]
	for _, w := range all {
		if w.holds(now) {
			w.told = w.words(g.Decider.Protection())
			standing = append(standing, w)
		}
	}
	return standing, true, nil
}

// denied are the terms that keep from her what is withheld, by whatever name a Binary is asked for.
func denied(list []Withholding) []Term {
	if len(list) == 0 {
		return nil
	}
	refs := make([]fhir.Reference, 0, len(list))
	for _, w := range list {
		refs = append(refs, fhir.Reference{Type: w.Record.Type, ID: w.Record.ID})
	}
	terms := make([]Term, 0, 2)
	for _, sent := range []bool{false, true} {
		terms = append(terms, Term{
			Effect: Deny, Sent: sent, Custodians: Every[HERID](), Types: Every[fhir.Type](), Items: Only(refs...), Mask: AllLabels, Citation: -1,
		})
	}
	return terms
}

// Less is the scope without what is withheld from the person herself.
func (s Scope) Less(withheld []Withholding) Scope {
	s.Terms = slices.Concat(s.Terms, denied(withheld))
	return s
}

// tellWithheld is the refusal by which she reads that a record of hers is withheld from her.
func (p Permit) tellWithheld(r fhir.Reference) error {
	for _, w := range p.withheld {
		if w.Record.Type == r.Type && w.Record.ID == r.ID {
			return Fault("gateway.read", Forbidden, fhir.Issue{
				Severity: "error", Type: "suppressed", Code: "insight-withheld", Args: []string{w.told},
			})
		}
	}
	return nil
}

// absent is the refusal of a history: that there is nothing, or to her from whom it is withheld, that it is.
func (p Permit) absent(r fhir.Reference) error {
	if told := p.tellWithheld(r); told != nil {
		return told
	}
	return absent("gateway.history")
}

// withheldEntries are what a searchset tells the patient of what is withheld from her, of the type or of any:
// for each record one outcome, whatever she searched for.
func (g *Gateway) withheldEntries(who asked, t fhir.Type) ([][]byte, error) {
	if who.Kind != Patient {
		return nil, nil
	}
	list, _, err := g.withheldFrom(who, Question{Now: g.Clock()})
	if err != nil {
		return nil, err
	}
	var entries [][]byte
	for _, w := range list {
		if t == "" || t == w.Record.Type {
			entry := append([]byte(`{"resource":{"resourceType":"OperationOutcome","issue":[`), spoken(w.told)...)
			entries = append(entries, append(entry, `]},"search":{"mode":"outcome"}}`...))
		}
	}
	return entries, nil
}

// withholdAt decides that the person may not read a record of the own party about her, or takes that back.
func (g *Gateway) withholdAt(ctx context.Context, a Actor, in Interaction) (Outcome, error) {
	const op = "gateway.withhold"
	refuse := func(code string) (Outcome, error) {
		return Outcome{}, Fault(op, Invalid, fhir.Issue{Severity: "error", Type: "business-rule", Code: code, Expression: "Parameters.parameter"})
	}
	who, dir, err := g.writer(ctx, a)
	if err != nil {
		return Outcome{}, err
	}
	s := step{in: in, who: who, dir: dir}
	if s.permit, err = g.mayWrite(ctx, who, in); err != nil {
		return Outcome{}, err
	}
	o := in.Operation
	_, known := g.Decider.Protection().Insight[o.Code]
	switch {
	case a.Kind != Person || a.Name == "":
		return Outcome{}, forbidden(op, "insight.by-person")
	case !known && o.Code != lifted:
		return refuse("insight.kind")
	case o.Reason == "":
		return refuse("operation.reason")
	case (o.Code == "utsatt") == o.High.IsZero() || !o.High.IsZero() && !o.High.After(g.Clock()):
		return refuse("insight.end")
	}
	w := Withholding{Kind: o.Code, Until: o.High, Reason: o.Reason, By: a.Name, Party: who.party.Name, At: g.Clock()}
	if o.Code == lifted {
		w = Withholding{}
	}
	w.Record = fhir.Reference{Type: in.Target.Type, ID: in.Target.ID}
	err = g.Store.Tx(ctx, func(tx Tx) error {
		current, err := g.writable(ctx, tx, s)
		if err != nil {
			return err
		}
		if err := g.attestedWrite(ctx, tx, who, current); err != nil {
			return err
		}
		if current.Person == 0 {
			return Fault(op, Invalid, fhir.Issue{Severity: "error", Type: "business-rule", Code: "insight.nobody", Expression: string(in.Target.Type)})
		}
		if err := tx.Withhold(ctx, current.Person, w); err != nil {
			return err
		}
		return g.recordOrder(ctx, tx, who, in, current)
	})
	if err != nil {
		return Outcome{}, g.refusedWrite(ctx, who, in, err)
	}
	if w.Kind == "" {
		return Outcome{Release: spokenRelease("Pasienten har igjen innsyn i opplysningen.")}, nil
	}
	return Outcome{Release: spokenRelease("Pasienten får denne teksten når hun ber om opplysningen: " + w.words(g.Decider.Protection()))}, nil
}
