package consent

import (
	"context"
	"fmt"
	"strings"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/policies"
)

// inlineLabel is the DS4P extension by which a custodian labels an element of its own.
const inlineLabel = "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label"

// CodeUnknownNamed tells that a label named in content is not of informasjonskategori.
const CodeUnknownNamed = "label.unknown"

// Labeller finds the labels of a resource: Go walks the tree, Rego's `labels` says what each type,
// code, item and name tells. What Rego said of one of them is remembered, since it depends on
// nothing but the policy.
type Labeller struct {
	query rego.PreparedEvalQuery
	told  *lru.Cache[fact, finding]
}

var _ gateway.Labeller = (*Labeller)(nil)

// fact is one thing that a resource tells.
type fact struct{ kind, typ, system, code string }

type finding struct {
	labels gateway.Labels
	known  bool
}

// NewLabeller compiles the policies. remembered bounds the facts kept in memory; 65536 when zero.
func NewLabeller(ctx context.Context, remembered int) (*Labeller, error) {
	if remembered == 0 {
		remembered = 65536
	}
	l := &Labeller{}
	var err error
	queries, _, err := prepare(ctx, policies.Set{}, []string{"data.sluse.labels.found"})
	if err != nil {
		return nil, err
	}
	l.query = queries[0]
	if l.told, err = lru.New[fact, finding](remembered); err != nil {
		return nil, fmt.Errorf("consent: %w", err)
	}
	return l, nil
}

// Label gives the labels of a resource and of its parts. A label in it that does not exist is a
// fault of the content; an error of Rego is Unavailable. The result is never empty.
func (l *Labeller) Label(ctx context.Context, r *fhir.Resource) (gateway.Labelling, error) {
	w := &walk{ctx: ctx, labeller: l, typ: string(r.Type())}
	w.record(r)
	if w.err != nil {
		return gateway.Labelling{}, gateway.Failed("consent.label", gateway.Unavailable, w.err)
	}
	if len(w.issues) > 0 {
		return gateway.Labelling{}, gateway.Fault("consent.label", gateway.Invalid, w.issues...)
	}
	return w.out, nil
}

// Named gives what the name of a unit, a place or a sender tells.
func (l *Labeller) Named(ctx context.Context, name string) (gateway.Labels, error) {
	found, err := l.find(ctx, fact{kind: "name", code: name})
	if err != nil {
		return 0, gateway.Failed("consent.named", gateway.Unavailable, err)
	}
	return found.labels, nil
}

// find asks for one fact.
func (l *Labeller) find(ctx context.Context, f fact) (finding, error) {
	if found, ok := l.told.Get(f); ok {
		return found, nil
	}
	input := ast.NewObject(
		[2]*ast.Term{ast.StringTerm("kind"), ast.StringTerm(f.kind)},
		[2]*ast.Term{ast.StringTerm("type"), ast.StringTerm(f.typ)},
		[2]*ast.Term{ast.StringTerm("system"), ast.StringTerm(f.system)},
		[2]*ast.Term{ast.StringTerm("code"), ast.StringTerm(f.code)},
	)
	rs, err := l.query.Eval(ctx, rego.EvalParsedInput(input))
	if err != nil {
		return finding{}, fmt.Errorf("consent: %w", err)
	}
	var m map[string]any
	if len(rs) == 1 && len(rs[0].Expressions) == 1 {
		m, _ = rs[0].Expressions[0].Value.(map[string]any)
	}
	list, ok1 := m["labels"].([]any)
	known, ok2 := m["known"].(bool)
	if !ok1 || !ok2 {
		return finding{}, fmt.Errorf("consent: no labels")
	}
	out := finding{known: known}
	for _, v := range list {
		code, _ := v.(string)
		label, ok := gateway.LabelOf(code)
		if !ok {
			return finding{}, fmt.Errorf("consent: label %q", code)
		}
		out.labels |= label
	}
	l.told.Add(f, out)
	return out, nil
}

// walk labels one resource.
type walk struct {
	ctx      context.Context
	labeller *Labeller
	typ      string
	out      gateway.Labelling
	issues   []fhir.Issue
	err      error
}

func (w *walk) ask(f fact) finding {
	if w.err != nil {
		return finding{}
	}
	found, err := w.labeller.find(w.ctx, f)
	w.err = err
	return found
}

// bag collects what one piece tells: by rule, and as the custodian names it.
type bag struct {
	ruled, added gateway.Labels
	mere         gateway.Labels // ruled by a type that tells nothing of the content
	unknown      bool
}

// sum is the labels of the piece. What no rule knows is uklassifisert, unless the custodian names
// a label on what no rule labels, or labels only by a type that tells nothing of the content.
func (b bag) sum() gateway.Labels {
	l := b.ruled | b.added
	if b.unknown && (b.ruled&^b.mere != 0 || b.added&^(b.mere&(gateway.Samarbeid|gateway.Uklassifisert)) == 0) {
		l |= gateway.Uklassifisert
	}
	return l
}

// record labels the resource: its type, what it points at, its parts, and all its codes and names.
func (w *walk) record(r *fhir.Resource) {
	root := r.Root()
	var b bag
	for _, c := range root.Get("meta", "security").Items() {
		if c.Get("system").Text() == gateway.LabelSystem {
			b.added |= w.named(c, w.typ+".meta.security")
		}
	}
	base := w.base(root, w.typ, &b)
	w.points(root)
	w.held(root, &b)
	w.children(root, &b)
	if strict[w.typ] {
		b.mere |= base
		w.doubts(root, &b)
		w.names(root.Get("title"), &b)
		w.names(root.Get("name"), &b)
	}
	w.freely(root, base, &b)
	w.out.Labels = b.sum()
	if w.out.Labels == 0 {
		w.out.Labels = gateway.Uklassifisert
	}
	w.out.Added = b.added
}

// named reads a label that the content itself names.
func (w *walk) named(coding *fhir.Value, expression string) gateway.Labels {
	l, ok := gateway.LabelOf(coding.Get("code").Text())
	if !ok {
		w.issues = append(w.issues, fhir.Issue{
			Severity: "error", Type: "code-invalid", Code: CodeUnknownNamed, Expression: expression})
	}
	return l
}

// base adds what the type tells: a plan marked as kriseplan is that instead, a Task is what it is
// about, a Condition or Observation what its code says. It gives what the type alone told.
func (w *walk) base(v *fhir.Value, typ string, b *bag) gateway.Labels {
	found := w.ask(fact{kind: "type", typ: typ})
	b.unknown = b.unknown || !found.known
	switch typ {
	case "CarePlan", "Goal":
		for _, c := range v.Get("category").Items() {
			for _, coding := range c.Get("coding").Items() {
				crisis := w.ask(fact{"category", typ, coding.Get("system").Text(), coding.Get("code").Text()})
				if crisis.labels&gateway.Kriseplan != 0 {
					found.labels = gateway.Kriseplan
				}
			}
		}
	case "Task":
		kind, _, _ := strings.Cut(v.Get("focus", "reference").Text(), "/")
		if focus := w.ask(fact{kind: "focus", typ: kind}); focus.labels != 0 {
			found.labels = focus.labels
		}
	case "Condition", "Observation":
		w.concept(v.Get("code"), b)
	case "AllergyIntolerance", "ServiceRequest":
		w.coded(v.Get("code"), b)
	case "MedicationStatement":
		w.coded(v.Get("medicationCodeableConcept"), b)
	}
	b.ruled |= found.labels
	return found.labels
}

// concept adds what a code says that decides what the piece is about: none known is a doubt.
func (w *walk) concept(v *fhir.Value, b *bag) {
	known := false
	for _, c := range v.Get("coding").Items() {
		f := w.coding(c)
		b.ruled |= f.labels
		known = known || f.known
	}
	b.unknown = b.unknown || !known
}

// coded does the same where a text without code is no doubt: the type tells enough.
func (w *walk) coded(v *fhir.Value, b *bag) {
	if len(v.Get("coding").Items()) > 0 {
		w.concept(v, b)
	}
}

func (w *walk) coding(v *fhir.Value) finding {
	return w.ask(fact{kind: "code", system: v.Get("system").Text(), code: v.Get("code").Text()})
}

// points lists the own records whose labels this one takes over.
func (w *walk) points(root *fhir.Value) {
	add := func(v *fhir.Value) {
		ref, err := fhir.ParseReference(v.Text())
		if err == nil && ref.Type != "Patient" && !gateway.IsDirectory(ref.Type) {
			w.out.Points = append(w.out.Points, fhir.Reference{Type: ref.Type, ID: ref.ID})
		}
	}
	switch w.typ {
	case "Communication":
		for _, c := range root.Get("payload").Items() {
			add(c.Get("contentReference", "reference"))
		}
		for _, name := range []string{"about", "basedOn", "partOf"} {
			for _, c := range root.Get(name).Items() {
				add(c.Get("reference"))
			}
		}
	case "DocumentReference":
		for _, c := range root.Get("content").Items() {
			add(c.Get("attachment", "url"))
		}
		for _, c := range root.Get("context", "related").Items() {
			add(c.Get("reference"))
		}
	case "Binary":
		add(root.Get("securityContext", "reference"))
	case "Provenance":
		for _, t := range root.Get("target").Items() {
			add(t.Get("reference"))
		}
		for _, e := range root.Get("entity").Items() {
			add(e.Get("what", "reference"))
		}
	case "List":
		add(root.Get("encounter", "reference"))
		for _, e := range root.Get("entry").Items() {
			add(e.Get("item", "reference"))
		}
	case "Composition":
		add(root.Get("encounter", "reference"))
		for _, r := range root.Get("relatesTo").Items() {
			add(r.Get("targetReference", "reference"))
		}
		for _, e := range root.Get("event").Items() {
			for _, d := range e.Get("detail").Items() {
				add(d.Get("reference"))
			}
		}
		entries(root, func(v *fhir.Value) { add(v.Get("reference")) })
	}
}

// entries gives what the sections of a Composition, however deep, refer to.
func entries(v *fhir.Value, do func(*fhir.Value)) {
	for _, s := range v.Get("section").Items() {
		do(s.Get("focus"))
		for _, e := range s.Get("entry").Items() {
			do(e)
		}
		entries(s, do)
	}
}

// elsewhere tells whether a reference is to what is neither in the resource nor among Sluse's own.
func elsewhere(v *fhir.Value) bool {
	text := v.Get("reference").Text()
	_, err := fhir.ParseReference(text)
	return text != "" && text[0] != '#' && err != nil
}

// held marks content that is carried as bytes, or that is elsewhere than among the own records: no
// rule knows what it says, so it is a doubt that only the custodian can lift.
func (w *walk) held(root *fhir.Value, b *bag) {
	unseen := false
	switch w.typ {
	case "DocumentReference":
		for _, c := range root.Get("content").Items() {
			a := c.Get("attachment")
			ref, err := fhir.ParseReference(a.Get("url").Text())
			unseen = unseen || a.Get("data") != nil || err != nil || ref.Type != "Binary"
		}
	case "Binary":
		unseen = len(w.out.Points) == 0
	case "Provenance":
		unseen = len(w.out.Points) == 0
	case "List":
		for _, e := range root.Get("entry").Items() {
			unseen = unseen || elsewhere(e.Get("item"))
		}
	case "Composition":
		entries(root, func(v *fhir.Value) { unseen = unseen || elsewhere(v) })
	}
	if !unseen {
		return
	}
	b.unknown = true
	if b.added != 0 { // named on what no rule labels
		b.ruled = 0
	}
}
