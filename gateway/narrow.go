package gateway

import (
	"context"
	"slices"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// others are the types of which another than the custodian may write a version: whose a record is comes before
// what it should hold.
var others = map[fhir.Type]bool{"Consent": true, "Task": true}

// byOther performs the two writes that another than a record's custodian may make: the owner's steps in a
// Task, and what a patient or a party named in a samtykke records of its withdrawal. done is false when it is
// neither, and the write goes the ordinary way.
func (g *Gateway) byOther(ctx context.Context, tx Tx, s step) (Outcome, bool, error) {
	if out, done, err := g.contribute(ctx, tx, s); done || err != nil {
		return out, done, err
	}
	return g.recall(ctx, tx, s)
}

// recall records a withdrawal, or from the patient a narrowing too, of a samtykke that somebody else has
// registered (DESIGN § 3, Registering, confirming, withdrawing). It only narrows: what the samtykke
// denied holds on when it is withdrawn by another than the patient, until who registered it says
// otherwise, so that nobody gains by it, or learns by it what was denied.
func (g *Gateway) recall(ctx context.Context, tx Tx, s step) (Outcome, bool, error) {
	const op = "gateway.recall"
	if s.in.Target.Type != "Consent" || s.in.Code != Update || s.in.Body == nil || s.who.Kind != Person && s.who.Kind != Patient {
		return Outcome{}, false, nil
	}
	full, err := g.resolve(ctx, tx, s.who.Actor)
	if err != nil {
		return Outcome{}, true, err
	}
	if _, err := tx.FactsOf(ctx, s.in.Target); err != nil {
		return Outcome{}, true, err
	}
	stored, grants, err := tx.Registered(ctx, s.in.Target)
	if err != nil {
		if CodeOf(err) == NotFound {
			err = nil
		}
		return Outcome{}, err != nil, err
	}
	herself := full.Kind == Patient && stored.Person > 0 && full.own == stored.Person
	if stored.Custodian == s.who.Party || !herself && !g.namedIn(full, stored, grants) {
		return Outcome{}, false, nil
	}
	if s.in.IfMatch != "" && s.in.IfMatch != stored.Consent.Version {
		return Outcome{}, true, Fault(op, Precondition, fhir.Issue{Severity: "error", Type: "conflict", Code: "version-conflict"})
	}
	refuse := func(code, at string) (Outcome, bool, error) {
		return Outcome{}, true, Fault(op, Forbidden, fhir.Issue{Severity: "error", Type: "forbidden", Code: code, Expression: at})
	}
	basis := stored.Basis
	basis.Recalled = g.Clock()
	var body []byte
	switch status := s.in.Body.Root().Get("status").Text(); {
	case status == "inactive":
		basis.Withdrawn = !herself
		if body, err = withStatus(stored.Body, `"inactive"`); err != nil {
			return Outcome{}, true, err
		}
	case status == "active" && herself:
		var at string
		if body, at, err = narrowedBody(stored.Body, s.in.Body); err != nil {
			return Outcome{}, true, err
		}
		if at == "" {
			at, err = g.widens(ctx, tx, stored, grants, body)
		}
		switch {
		case err != nil:
			return Outcome{}, true, err
		case at != "":
			return refuse("consent.only-narrows", at)
		}
	default:
		return refuse("consent.only-withdraw", "Consent.status")
	}
	out, err := g.recalled(ctx, tx, s, stored, basis, body)
	return out, true, err
}

// recalled stores the version under its custodian, and tells the custodian by a Task.
func (g *Gateway) recalled(ctx context.Context, tx Tx, s step, stored StoredConsent, basis Basis, body []byte) (Outcome, error) {
	owner := asked{Actor: s.who.Actor, party: Party{ID: stored.Custodian}}
	if p, ok := s.dir.Party(stored.Custodian); ok {
		owner.party = p
	}
	custody := g.custody(owner, Update)
	current, err := tx.Lock(ctx, custody, s.in.Target)
	if err != nil {
		return Outcome{}, err
	}
	w, err := g.authored(ctx, owner, body, current.Reference.ID, current.Added)
	if err != nil {
		return Outcome{}, err
	}
	w.draft.Previous, w.draft.Sent, w.draft.Method = current.Reference.Version, current.Sent, Update
	if err := g.stamp(owner, w); err != nil {
		return Outcome{}, err
	}
	r, err := tx.Put(ctx, custody, w.draft)
	if err != nil {
		return Outcome{}, err
	}
	stored.Consent, stored.Body, stored.Basis, stored.By = r.Reference, w.draft.Body, basis, s.who.Party
	if err := g.again(ctx, tx, stored); err != nil {
		return Outcome{}, err
	}
	if err := g.remind(ctx, tx, stored.Custodian, stored.Person, "samtykke-trukket", "Et samtykke er trukket tilbake eller innsnevret. Se samtykkene til pasienten."); err != nil {
		return Outcome{}, err
	}
	entry, err := g.writtenEntry(s.who, w, r.Person)
	if err != nil {
		return Outcome{}, err
	}
	out := Outcome{Version: r.Reference.Version, Updated: r.Updated, Location: r.Reference}
	if s.who.Kind == Patient {
		out.Release = Release{body: w.draft.Body}
	}
	return out, tx.Record(ctx, []AuditEntry{entry})
}

// namedIn tells whether the samtykke names the actor's party in a permit, or as the one who has the records.
// A party that it only denies does not know of it.
func (g *Gateway) namedIn(who asked, stored StoredConsent, grants []Grant) bool {
	if who.Kind != Person || !who.attestedFor(stored.Person) {
		return false
	}
	for i := range grants {
		if grants[i].Effect != Allow {
			continue
		}
		for _, k := range grants[i].Recipients.Of {
			if k.Party() == who.Party {
				return true
			}
		}
	}
	res, err := ParseAuthored(stored.Body)
	return err == nil && slices.Contains(custodiansIn(res, stored.Basis), who.Party)
}

// withStatus changes nothing but the status.
func withStatus(body []byte, status string) ([]byte, error) {
	res, err := ParseAuthored(body)
	if err != nil {
		return nil, Failed("gateway.recall", Internal, err)
	}
	e := res.Edit()
	e.Set(res.Root(), "status", []byte(status))
	out, err := e.Bytes()
	if err != nil {
		return nil, Failed("gateway.recall", Internal, err)
	}
	return out, nil
}

// narrowedBody takes the provision of what was sent into the stored Consent; at names an element that differs
// besides.
func narrowedBody(body []byte, sent *fhir.Resource) (out []byte, at string, err error) {
	before, err := elements(body)
	if err != nil {
		return nil, "", Failed("gateway.recall", Internal, err)
	}
	after, err := elements(sent.Root().Raw())
	if err != nil {
		return nil, "", Failed("gateway.recall", Malformed, err)
	}
	for name := range after {
		if _, known := before[name]; !known {
			before[name] = nil
		}
	}
	for name := range before {
		if name != "meta" && name != "text" && name != "provision" && !same(before[name], after[name]) {
			return nil, "Consent." + name, nil
		}
	}
	res, err := ParseAuthored(body)
	if err != nil {
		return nil, "", Failed("gateway.recall", Internal, err)
	}
	if after["provision"] == nil {
		return nil, "Consent.provision", nil
	}
	e := res.Edit()
	e.Set(res.Root(), "provision", after["provision"])
	if out, err = e.Bytes(); err != nil {
		return nil, "", Failed("gateway.recall", Internal, err)
	}
	return out, "", nil
}

// widens names the element by which a new body gives more than the grants that the Consent has: a permit that
// no permit held before, or a deny of before that none holds now. "" when it only narrows.
func (g *Gateway) widens(ctx context.Context, tx Tx, stored StoredConsent, before []Grant, body []byte) (string, error) {
	res, err := ParseAuthored(body)
	if err != nil {
		return "", Failed("gateway.recall", Internal, err)
	}
	after, _, issues, err := g.anew(ctx, tx, stored, res)
	if err != nil {
		return "", err
	}
	for _, i := range issues {
		if i.Severity == "error" {
			return i.Expression, nil
		}
	}
	for _, a := range after {
		if a.Effect == Allow && !slices.ContainsFunc(before, func(b Grant) bool { return b.Effect == Allow && reached(a, b) }) {
			return a.Path, nil
		}
	}
	for _, b := range before {
		if b.Effect == Deny && !slices.ContainsFunc(after, func(a Grant) bool { return a.Effect == Deny && reached(b, a) }) {
			return b.Path, nil
		}
	}
	return "", nil
}

// reached tells whether all that a grant reaches, another reaches too.
func reached(a, b Grant) bool {
	return a.Labels.Within(b.Labels) && subset(a.Custodians, b.Custodians) && subset(a.Recipients, b.Recipients) &&
		subset(a.Roles, b.Roles) && subset(a.Purposes, b.Purposes) && subset(a.Actions, b.Actions) &&
		subset(a.Types, b.Types) && subset(a.Items, b.Items) && a.Trust == b.Trust && (b.Objection || !a.Objection) &&
		inside(a.Start, a.End, b.Start, b.End) && inside(a.DataLow, a.DataHigh, b.DataLow, b.DataHigh)
}

func subset[T comparable](a, b Set[T]) bool {
	if b.Any {
		return true
	}
	return !a.Any && !slices.ContainsFunc(a.Of, func(v T) bool { return !b.Has(v) })
}

// inside tells whether an interval lies in another; a zero bound is open.
func inside(low, high, outerLow, outerHigh time.Time) bool {
	return (outerLow.IsZero() || !low.IsZero() && !low.Before(outerLow)) &&
		(outerHigh.IsZero() || !high.IsZero() && !high.After(outerHigh))
}
