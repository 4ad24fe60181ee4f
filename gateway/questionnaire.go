package gateway

import (
	"context"
	"slices"
	"strings"

	"github.com/sluse/sluse/gateway/fhir"
)

const (
	initialExpression = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-initialExpression"
	patientDefinition = "http://hl7.org/fhir/StructureDefinition/Patient#"
	maxResponses      = 50 // earlier responses that are looked at for a new one
)

// populateAt begins a QuestionnaireResponse about a patient of the party's own (SDC $populate): with
// what her own Patient says, else with the party's own latest answers, else with what the form
// proposes. Nothing that is shared with the party comes into it: a form is a record of the party's own.
func (g *Gateway) populateAt(ctx context.Context, v View, who asked, in Interaction) (looked, error) {
	form, err := g.formAsked(ctx, v, who, in)
	if err != nil {
		return looked{}, err
	}
	patient := in.Operation.Subject
	facts, _, err := v.FactsAbout(ctx, who.party.ID, Subject{Patient: patient})
	if err != nil {
		return looked{}, err
	}
	p, err := g.permit(ctx, who, Operate, Question{Action: ReadAction, Named: true, Facts: facts})
	if err != nil {
		return looked{}, err
	}
	p = p.ownOnly()
	r, err := v.Read(ctx, p, fhir.Reference{Type: "Patient", ID: patient.ID})
	if err == nil && r.Deleted {
		err = absent("gateway.populate")
	}
	if err == nil {
		err = p.checked(r)
	}
	if CodeOf(err) == NotFound {
		about := in
		about.Target = fhir.Reference{Type: "Patient", ID: patient.ID}
		return g.refusedAt(who, about, facts.Person, absent("gateway.populate"))
	}
	if err != nil {
		return looked{}, err
	}
	f := &filling{url: form.Root().Get("url").Text()}
	if f.patient, err = (Release{body: r.Body}).parsed(); err != nil {
		return looked{}, err
	}
	if err := f.earlier(ctx, v, p, facts.Person); err != nil {
		return looked{}, err
	}
	body := f.response(form, in)
	entry, err := g.entry(who, Operate, Released, r.Person)
	entry.Type, entry.Query = in.Target.Type, in.Search.Canonical
	entry.Entities = []AuditEntity{{Record: r.Reference, Custodian: r.Custodian}}
	for _, s := range f.sources {
		if s.used {
			entry.Entities = append(entry.Entities, AuditEntity{Record: s.record.Reference, Custodian: s.record.Custodian})
		}
	}
	return looked{out: Outcome{Release: Release{body: body}}, entries: []AuditEntry{entry}}, err
}

// ownOnly narrows a permit to the party's own records.
func (p Permit) ownOnly() Permit {
	reach := p.Scope()
	p.decision.Scope = Scope{Own: reach.Own, Self: reach.Self, Person: reach.Person, Revision: reach.Revision}
	return p
}

// formAsked gives the Questionnaire: that of the path, the one given, or the one named.
func (g *Gateway) formAsked(ctx context.Context, v View, who asked, in Interaction) (*fhir.Resource, error) {
	const op = "gateway.populate"
	switch {
	case in.Target.ID != "":
		r, err := v.Read(ctx, directoryPermit(who, Operate), fhir.Reference{Type: "Questionnaire", ID: in.Target.ID})
		if err == nil && r.Deleted {
			return nil, Fault(op, Gone, fhir.Issue{Severity: "error", Type: "deleted", Code: "gone"})
		}
		if err != nil {
			return nil, err
		}
		return Release{body: r.Body}.parsed()
	case in.Body != nil:
		if issues := fhir.Validate(in.Body); len(issues) > 0 {
			return nil, Fault(op, Invalid, issues...)
		}
		return in.Body, nil
	}
	form, err := g.questionnaire(ctx, v, who, in.Operation.Canonical)
	if err == nil && form == nil {
		err = Fault(op, Invalid, fhir.Issue{
			Severity: "error", Type: "not-found", Code: "questionnaire-unknown", Expression: "Parameters.parameter.valueCanonical",
		})
	}
	return form, err
}

// filling is a response on its way.
type filling struct {
	url     string // of the form
	patient *fhir.Resource
	sources []*source // newest first
}

// source is an earlier response of the party's own.
type source struct {
	record Record
	items  []*fhir.Value
	same   bool // of the same form, whatever version
	used   bool
}

// place is where earlier answers are looked for: in a whole response, or in one repetition of a group.
type place struct {
	of    *source
	items []*fhir.Value
}

// earlier reads the party's own finished responses about the person.
func (f *filling) earlier(ctx context.Context, v View, p Permit, person PersonID) error {
	if person == 0 {
		return nil
	}
	rows, err := v.Search(ctx, p, "QuestionnaireResponse", Search{Sort: Sort{Descending: true}}, person, maxResponses, Cursor{})
	if err != nil && CodeOf(err) != NotFound {
		return err
	}
	for _, r := range rows {
		if err := p.checked(r); err != nil {
			return err
		}
		res, err := Release{body: r.Body}.parsed()
		if err != nil {
			return err
		}
		if status := res.Root().Get("status").Text(); status != "completed" && status != "amended" {
			continue
		}
		url, _, _ := strings.Cut(res.Root().Get("questionnaire").Text(), "|")
		f.sources = append(f.sources, &source{record: r, items: res.Root().Get("item").Items(), same: f.url != "" && url == f.url})
	}
	return nil
}

// response writes the QuestionnaireResponse in its Parameters.
func (f *filling) response(form *fhir.Resource, in Interaction) []byte {
	canonical := f.url
	if version := form.Root().Get("version").Text(); canonical != "" && version != "" {
		canonical += "|" + version
	}
	if canonical == "" && form.ID() != "" {
		canonical = in.Search.Base + "/Questionnaire/" + string(form.ID())
	}
	b := []byte(`{"resourceType":"Parameters","parameter":[{"name":"response","resource":{"resourceType":"QuestionnaireResponse"`)
	if canonical != "" {
		b = append(b, `,"questionnaire":`...)
		b = fhir.AppendString(b, canonical)
	}
	b = append(b, `,"status":"in-progress","subject":{"reference":"Patient/`+string(in.Operation.Subject.ID)+`"}`...)
	var places []place
	for _, s := range f.sources {
		places = append(places, place{s, s.items})
	}
	if items := f.items(form.Root().Get("item").Items(), places); len(items) > 0 {
		b = append(append(b, `,"item":`...), items...)
	}
	return append(b, `}}]}`...)
}

// items writes the items of the form with what is known.
func (f *filling) items(asked []*fhir.Value, places []place) []byte {
	var b []byte
	for _, q := range asked {
		switch q.Get("type").Text() {
		case "display":
		case "group":
			for _, within := range f.repetitions(q, places) {
				children := f.items(q.Get("item").Items(), within)
				if len(children) == 0 {
					continue
				}
				b = append(f.head(b, q), `,"item":`...)
				b = append(append(b, children...), '}')
			}
		default:
			b = f.question(b, q, places)
		}
	}
	if len(b) == 0 {
		return nil
	}
	b[0] = '['
	return append(b, ']')
}

// repetitions gives the places for each repetition of a group: of one that repeats, those of the
// latest response that has it.
func (f *filling) repetitions(q *fhir.Value, places []place) [][]place {
	if q.Get("repeats").Text() != "true" {
		return [][]place{places}
	}
	for _, p := range places {
		var all [][]place
		if p.of.same {
			visit(p.items, func(item *fhir.Value) {
				if item.Get("linkId").Text() == q.Get("linkId").Text() {
					all = append(all, []place{{p.of, item.Get("item").Items()}})
				}
			})
		}
		if len(all) > 0 {
			return all
		}
	}
	return [][]place{nil}
}

// head begins an item.
func (f *filling) head(b []byte, q *fhir.Value) []byte {
	b = append(b, `,{"linkId":`...)
	b = fhir.AppendString(b, q.Get("linkId").Text())
	for _, name := range []string{"definition", "text"} {
		if v := q.Get(name); v != nil {
			b = append(b, `,"`+name+`":`...)
			b = fhir.AppendString(b, v.Text())
		}
	}
	return b
}

// question writes a question with its answers, and the items below each.
func (f *filling) question(b []byte, q *fhir.Value, places []place) []byte {
	b = f.head(b, q)
	answers := f.known(q)
	if len(answers) == 0 {
		answers = f.answered(q, places)
	}
	if len(answers) == 0 {
		for _, initial := range q.Get("initial").Items() {
			answers = appendFit(answers, q, initial, nil)
		}
	}
	if q.Get("repeats").Text() != "true" && len(answers) > 1 {
		answers = answers[:1]
	}
	for i, a := range answers {
		if i == 0 {
			b = append(b, `,"answer":[`...)
		} else {
			b = append(b, ',')
		}
		b = append(append(b, '{'), a.value...)
		within := places
		if a.below != nil {
			within = []place{*a.below}
		}
		if children := f.items(q.Get("item").Items(), within); len(children) > 0 {
			b = append(append(b, `,"item":`...), children...)
		}
		b = append(b, '}')
	}
	if len(answers) > 0 {
		b = append(b, ']')
	}
	return append(b, '}')
}

// answer is one answer: its value as a member, and where the answers below it are looked for.
type answer struct {
	value []byte
	below *place
}

// answered gives the latest own answers: of the same form by linkId, of any by what the item means.
func (f *filling) answered(q *fhir.Value, places []place) []answer {
	link, meaning := q.Get("linkId").Text(), q.Get("definition").Text()
	for _, p := range places {
		var found []answer
		visit(p.items, func(item *fhir.Value) {
			same := p.of.same && item.Get("linkId").Text() == link || meaning != "" && item.Get("definition").Text() == meaning
			if !same || len(found) > 0 {
				return
			}
			for _, a := range item.Get("answer").Items() {
				found = appendFit(found, q, a, &place{p.of, a.Get("item").Items()})
			}
		})
		if len(found) > 0 {
			p.of.used = true
			return found
		}
	}
	return nil
}

// visit walks items, those below answers included.
func visit(items []*fhir.Value, do func(*fhir.Value)) {
	for _, item := range items {
		do(item)
		visit(item.Get("item").Items(), do)
		for _, a := range item.Get("answer").Items() {
			visit(a.Get("item").Items(), do)
		}
	}
}

// known gives what the Patient says: by the expression that the form has, of the part of FHIRPath that
// is known here, or by the element of Patient that the item means.
func (f *filling) known(q *fhir.Value) []answer {
	expression := ""
	for _, e := range q.Get("extension").Items() {
		if e.Get("url").Text() == initialExpression {
			expression, _ = strings.CutPrefix(e.Get("valueExpression", "expression").Text(), "%patient.")
		}
	}
	if meaning, ok := strings.CutPrefix(q.Get("definition").Text(), patientDefinition); ok && expression == "" {
		expression = strings.TrimPrefix(meaning, "Patient.")
	}
	if expression == "" || strings.HasPrefix(expression, "%") {
		return nil
	}
	path, err := fhir.CompilePath("Patient." + expression)
	if err != nil {
		return nil
	}
	values, err := path.Find(f.patient)
	if err != nil {
		return nil
	}
	var answers []answer
	for _, v := range values {
		if member := elementAnswer(q, v); member != nil {
			answers = append(answers, answer{value: member})
		}
	}
	return answers
}

// elementAnswer makes an answer of an element, when it is of a kind that the question takes.
func elementAnswer(q, v *fhir.Value) []byte {
	kind := q.Get("type").Text()
	want, name := fhir.String, "value"+strings.ToUpper(kind[:1])+kind[1:]
	switch kind {
	case "string", "text":
		name = "valueString"
	case "date", "dateTime", "time":
	case "url":
		name = "valueUri"
	case "boolean":
		want = fhir.Bool
	case "integer", "decimal":
		want = fhir.Number
	case "choice", "open-choice":
		if v.Kind() == fhir.String { // a code: the option that has it
			for _, o := range q.Get("answerOption").Items() {
				if c := o.Get("valueCoding"); c != nil && c.Get("code").Text() == v.Text() {
					return append([]byte(`"valueCoding":`), c.Raw()...)
				}
			}
			return nil
		}
		want, name = fhir.Object, "valueCoding"
	default:
		return nil
	}
	if v.Kind() != want {
		return nil
	}
	return append([]byte(`"`+name+`":`), v.Raw()...)
}

// fitting lists the value that an answer to each type of question may have (R4 questionnaire.html,
// item types).
var fitting = map[string][]string{
	"boolean": {"valueBoolean"}, "decimal": {"valueDecimal"}, "integer": {"valueInteger"}, "date": {"valueDate"},
	"dateTime": {"valueDateTime"}, "time": {"valueTime"}, "string": {"valueString"}, "text": {"valueString"},
	"url": {"valueUri"}, "choice": optionValues, "open-choice": optionValues,
	"attachment": {"valueAttachment"}, "reference": {"valueReference"}, "quantity": {"valueQuantity"},
}

var optionValues = []string{"valueCoding", "valueString", "valueInteger", "valueDate", "valueTime", "valueReference"}

// appendFit adds the value that an earlier answer has, if the question still takes it.
func appendFit(to []answer, q, from *fhir.Value, below *place) []answer {
	kind := q.Get("type").Text()
	for _, m := range from.Members() {
		if !slices.Contains(fitting[kind], m.Name) || kind == "choice" && !option(q, m) {
			continue
		}
		return append(to, answer{value: append([]byte(`"`+m.Name+`":`), m.Value.Raw()...), below: below})
	}
	return to
}

// option tells whether a value is among the options, where the form has any.
func option(q *fhir.Value, m fhir.Member) bool {
	options := q.Get("answerOption").Items()
	if len(options) == 0 {
		return m.Name == "valueCoding" || q.Get("answerValueSet") == nil
	}
	return slices.ContainsFunc(options, func(o *fhir.Value) bool {
		v := o.Get(m.Name)
		if v.Kind() == fhir.Object {
			return v.Get("code").Text() == m.Value.Get("code").Text() && v.Get("system").Text() == m.Value.Get("system").Text() &&
				v.Get("reference").Text() == m.Value.Get("reference").Text()
		}
		return v != nil && v.Text() == m.Value.Text()
	})
}
