package gateway

import (
	"context"
	"crypto/sha256"
	"slices"
	"strconv"
	"strings"

	"github.com/sluse/sluse/gateway/fhir"
)

const (
	observationExtract = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-observationExtract"
	questionnaireUnit  = "http://hl7.org/fhir/StructureDefinition/questionnaire-unit"
)

// extractAt makes Observations of the answers of a form (SDC, observation-based extraction), as a
// transaction that the client may send. Nothing is stored. Of a stored response it uses only what is
// released to who asks; each Observation names the labels that its answer has, so that it is never
// less protected than what it was made of.
func (g *Gateway) extractAt(ctx context.Context, v View, who asked, in Interaction) (looked, error) {
	const op = "gateway.extract"
	x := &extraction{labels: make(map[string]Labels)}
	var seen looked
	var err error
	if in.Target.ID != "" {
		if seen, err = x.stored(ctx, g, v, who, in); err != nil || seen.refusal != nil {
			return seen, err
		}
	} else {
		x.response = in.Body
		if issues := fhir.Validate(in.Body); len(issues) > 0 {
			return looked{}, Fault(op, Invalid, issues...)
		}
		dir, err := v.Directory(ctx)
		if err != nil {
			return looked{}, Failed(op, Unavailable, err)
		}
		found, err := g.labelled(ctx, dir, in.Body)
		if err != nil {
			return looked{}, err
		}
		x.base = found.Labels | found.Added
		x.part(in.Body, found.Parts)
	}
	root := x.response.Root()
	if status := root.Get("status").Text(); status != "completed" && status != "amended" {
		return unfit(seen, "extract.status", "QuestionnaireResponse.status")
	}
	form, err := g.questionnaire(ctx, v, who, root.Get("questionnaire").Text())
	if err != nil {
		return looked{}, err
	}
	if form == nil {
		return unfit(seen, "questionnaire-unknown", "QuestionnaireResponse.questionnaire")
	}
	if in.Target.ID == "" {
		if issues := fhir.CheckAnswers(form, in.Body); faulty(issues) {
			return looked{}, Fault(op, Invalid, issues...)
		}
	}
	x.read(form.Root(), extracts(form.Root(), false))
	x.items(root.Get("item").Items(), x.base)
	b := []byte(`{"resourceType":"Bundle","type":"transaction"`)
	if len(x.entries) > 0 {
		x.entries[0] = '['
		b = append(append(append(b, `,"entry":`...), x.entries...), ']')
	}
	seen.out = Outcome{Release: Release{body: append(b, '}')}}
	return seen, nil
}

// unfit refuses to extract; that the response was looked at is recorded all the same.
func unfit(seen looked, code, expression string) (looked, error) {
	seen.out = Outcome{}
	seen.refusal = Fault("gateway.extract", Invalid, fhir.Issue{
		Severity: "error", Type: "business-rule", Code: code, Expression: expression,
	})
	return seen, nil
}

// extraction is a transaction of Observations on its way.
type extraction struct {
	response *fhir.Resource
	from     fhir.ID           // of a stored response
	base     Labels            // of the response
	labels   map[string]Labels // of items, by linkId
	form     map[string]question
	entries  []byte
	count    int
}

// question is an item of the form that is extracted, with the codes that it is known by.
type question struct {
	codes []*fhir.Value
	unit  *fhir.Value
}

// stored reads a response as it is released, and the labels of the items that are, as they are kept.
func (x *extraction) stored(ctx context.Context, g *Gateway, v View, who asked, in Interaction) (looked, error) {
	seen, err := g.look(ctx, v, who, in)
	if err != nil || seen.refusal != nil {
		return seen, err
	}
	if x.response, err = seen.out.Release.parsed(); err != nil {
		return looked{}, err
	}
	p, _, err := g.permitFor(ctx, v, who, Operate, in.Target)
	if err != nil {
		return looked{}, err
	}
	r, err := v.Read(ctx, p, in.Target)
	if err == nil {
		err = p.checked(r)
	}
	if err != nil {
		return looked{}, err
	}
	whole, err := Release{body: r.Body}.parsed()
	if err != nil {
		return looked{}, err
	}
	x.base, x.from = r.Labels|r.Added, in.Target.ID
	covered, _ := p.Scope().Releases(r)
	x.part(whole, releasedParts(r.Parts, covered))
	return seen, nil
}

// releasedParts are the parts that stay in a release: covered, and in none that is not.
func releasedParts(parts []Part, covered Labels) []Part {
	return slices.DeleteFunc(slices.Clone(parts), func(q Part) bool {
		return slices.ContainsFunc(parts, func(around Part) bool {
			return !around.Labels.Within(covered) && (q.Path == around.Path || strings.HasPrefix(q.Path, around.Path+"."))
		})
	})
}

// part keeps the labels of items. A linkId that is there several times has the labels of all.
func (x *extraction) part(response *fhir.Resource, parts []Part) {
	for _, part := range parts {
		if link := response.At(part.Path).Get("linkId").Text(); link != "" {
			x.labels[link] |= part.Labels
		}
	}
}

// extracts reads the extension that asks for extraction; inherited holds where it says nothing.
func extracts(v *fhir.Value, inherited bool) bool {
	for _, e := range v.Get("extension").Items() {
		if e.Get("url").Text() == observationExtract {
			return e.Get("valueBoolean").Text() == "true"
		}
	}
	return inherited
}

// read finds the questions to extract. The extension holds for what is below it, until another.
func (x *extraction) read(above *fhir.Value, asked bool) {
	if x.form == nil {
		x.form = make(map[string]question)
	}
	for _, item := range above.Get("item").Items() {
		here := extracts(item, asked)
		var q question
		for _, code := range item.Get("code").Items() {
			if extracts(code, here) {
				q.codes = append(q.codes, code)
			}
		}
		for _, e := range item.Get("extension").Items() {
			if e.Get("url").Text() == questionnaireUnit {
				q.unit = e.Get("valueCoding")
			}
		}
		if len(q.codes) > 0 {
			x.form[item.Get("linkId").Text()] = q
		}
		x.read(item, here)
	}
}

// items makes an Observation of each answer. What lies in a labelled item has its labels.
func (x *extraction) items(items []*fhir.Value, above Labels) {
	for _, item := range items {
		link := item.Get("linkId").Text()
		labels := above | x.labels[link]
		q, asked := x.form[link]
		for _, a := range item.Get("answer").Items() {
			if asked {
				x.observation(q, item, a, labels)
			}
			x.items(a.Get("item").Items(), labels)
		}
		x.items(item.Get("item").Items(), labels)
	}
}

func (x *extraction) observation(q question, item, a *fhir.Value, labels Labels) {
	value := observed(a, q.unit)
	if value == nil {
		return
	}
	root := x.response.Root()
	x.count++
	sum := sha256.Sum256(slices.Concat([]byte("sluse extract\x00"+strconv.Itoa(x.count)+"\x00"), x.response.Bytes()))
	b := append(x.entries, `,{"fullUrl":"urn:uuid:`+namedID(sum[:])+`","resource":{"resourceType":"Observation","meta":{"security":[`...)
	for i, code := range labels.Codes() {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"system":"`+LabelSystem+`","code":"`+code+`"}`...)
	}
	b = append(b, `]},"status":"final","code":{"coding":[`...)
	for i, code := range q.codes {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, code.Raw()...)
	}
	b = append(b, ']')
	if text := item.Get("text"); text != nil {
		b = fhir.AppendString(append(b, `,"text":`...), text.Text())
	}
	b = append(b, '}')
	for _, name := range []string{"subject", "encounter"} {
		if v := root.Get(name); v != nil {
			b = append(append(b, `,"`+name+`":`...), v.Raw()...)
		}
	}
	if v := root.Get("authored"); v != nil {
		b = append(append(b, `,"effectiveDateTime":`...), v.Raw()...)
	}
	if author := root.Get("author"); performs(author) {
		b = append(append(append(b, `,"performer":[`...), author.Raw()...), ']')
	}
	b = append(append(b, ','), value...)
	if x.from != "" {
		b = append(b, `,"derivedFrom":[{"reference":"QuestionnaireResponse/`+string(x.from)+`"}]`...)
	}
	x.entries = append(b, `},"request":{"method":"POST","url":"Observation"}}`...)
}

// performs tells whether an Observation may name it as its performer.
func performs(author *fhir.Value) bool {
	ref, err := fhir.ParseReference(author.Get("reference").Text())
	return err == nil && slices.Contains([]fhir.Type{"Practitioner", "PractitionerRole", "Organization", "CareTeam", "Patient", "RelatedPerson"}, ref.Type)
}

// observed is an answer as the value of an Observation (R4 observation.html); nil when it cannot be one.
func observed(a, unit *fhir.Value) []byte {
	for _, m := range a.Members() {
		raw := m.Value.Raw()
		switch m.Name {
		case "valueBoolean", "valueTime", "valueDateTime", "valueQuantity", "valueString":
			return append([]byte(`"`+m.Name+`":`), raw...)
		case "valueDate":
			return append([]byte(`"valueDateTime":`), raw...)
		case "valueUri":
			return append([]byte(`"valueString":`), raw...)
		case "valueCoding":
			return append(append([]byte(`"valueCodeableConcept":{"coding":[`), raw...), `]}`...)
		case "valueInteger":
			if unit == nil {
				return append([]byte(`"valueInteger":`), raw...)
			}
			return quantity(raw, unit)
		case "valueDecimal":
			return quantity(raw, unit)
		}
	}
	return nil
}

func quantity(raw []byte, unit *fhir.Value) []byte {
	b := append([]byte(`"valueQuantity":{"value":`), raw...)
	if v := unit.Get("display"); v != nil {
		b = append(append(b, `,"unit":`...), v.Raw()...)
	}
	for _, name := range []string{"system", "code"} {
		if v := unit.Get(name); v != nil {
			b = append(append(b, `,"`+name+`":`...), v.Raw()...)
		}
	}
	return append(b, '}')
}
