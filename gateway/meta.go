package gateway

import (
	"context"
	"slices"

	"github.com/sluse/sluse/gateway/fhir"
)

// metaSummarised is how many of the newest resources $meta of a type or of the system looks at.
const metaSummarised = 200

// metaAt gives the meta of one resource as it is released, or what profiles, tags and labels are in
// use in the newest resources of a type or of the system that the actor may read (R4
// resource-operation-meta.html).
func (g *Gateway) metaAt(ctx context.Context, v View, who asked, in Interaction) (looked, error) {
	if in.Target.ID == "" {
		return g.metaInUse(ctx, v, who, in)
	}
	seen, err := g.look(ctx, v, who, in)
	if err != nil || seen.refusal != nil {
		return seen, err
	}
	seen.out, err = metaOnly(seen.out)
	return seen, err
}

// metaOnly leaves of a released resource its meta.
func metaOnly(out Outcome) (Outcome, error) {
	res, err := out.Release.parsed()
	if err != nil {
		return Outcome{}, err
	}
	out.Release = metaRelease(res.Root().Get("meta").Raw())
	return out, nil
}

func metaRelease(meta []byte) Release {
	if len(meta) == 0 { // an element is not empty (R4 ele-1): what has no meta has no value
		return Release{body: []byte(`{"resourceType":"Parameters"}`)}
	}
	b := append([]byte(`{"resourceType":"Parameters","parameter":[{"name":"return","valueMeta":`), meta...)
	return Release{body: append(b, `}]}`...)}
}

// metaInUse looks at the newest resources inside the scope. To look is an access like any other: each
// person's is recorded.
func (g *Gateway) metaInUse(ctx context.Context, v View, who asked, in Interaction) (looked, error) {
	p, err := g.permit(ctx, who, Operate, Question{Action: ReadAction})
	if err != nil {
		return looked{}, err
	}
	directory := directoryPermit(who, Operate)
	merged := stream{search: func(t fhir.Type, limit int, after Cursor) ([]Record, error) {
		reach := p
		if IsDirectory(t) {
			reach = directory
		}
		return v.Search(ctx, reach, t, Search{Sort: Sort{Param: "_lastUpdated", Descending: true}}, 0, limit, after)
	}}
	for _, t := range in.Operation.Types {
		merged.heads = append(merged.heads, head{kind: t})
	}
	var rows []Record
	for len(rows) < metaSummarised {
		r, ok, err := merged.next()
		if err != nil {
			return looked{}, err
		}
		if !ok {
			break
		}
		rows = append(rows, r)
	}
	permits, err := g.permitsOf(ctx, v, who, Operate, found{permit: p, rows: rows})
	if err != nil {
		return looked{}, err
	}
	page := newPage("searchset", in.Search)
	done, err := g.releaseRows(who, Operate, rows, func(r Record) Permit {
		if IsDirectory(r.Reference.Type) {
			return directory
		}
		return permits(r)
	}, page)
	if err != nil {
		return looked{}, err
	}
	if !IsDirectory(in.Target.Type) {
		if err := g.asQuestion(who, Interaction{Code: Operate, Target: in.Target, Search: in.Search}, &done); err != nil {
			return looked{}, err
		}
	}
	bodies, err := page.bodies()
	if err != nil {
		return looked{}, err
	}
	return looked{out: Outcome{Release: metaRelease(union(bodies, metaLists...))}, entries: done.entries, fetched: done.fetched}, nil
}

// metaLists are the elements of a meta that can be added to (R4 resource-operation-meta-add.html).
var metaLists = []string{"profile", "security", "tag"}

// union is one meta with what any of the resources has in the lists, sorted; nil when there is nothing.
func union(bodies []*fhir.Resource, lists ...string) []byte {
	var b []byte
	for _, name := range lists {
		var all []string
		for _, res := range bodies {
			for _, v := range res.Root().Get("meta", name).Items() {
				all = append(all, metaItem(v))
			}
		}
		if len(all) == 0 {
			continue
		}
		slices.Sort(all)
		b = append(b, ',', '"')
		b = append(b, name...)
		b = append(b, '"', ':', '[')
		for i, one := range slices.Compact(all) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, one...)
		}
		b = append(b, ']')
	}
	if len(b) == 0 {
		return nil
	}
	b[0] = '{'
	return append(b, '}')
}

// metaItem is a profile, or a Coding without its texts, in one form.
func metaItem(v *fhir.Value) string {
	if v.Kind() == fhir.String {
		return string(fhir.AppendString(nil, v.Text()))
	}
	b := []byte(`{"system":`)
	b = fhir.AppendString(b, v.Get("system").Text())
	b = append(b, `,"code":`...)
	b = fhir.AppendString(b, v.Get("code").Text())
	return string(append(b, '}'))
}

// changeMeta adds to or takes from the meta of an own record. It is a patch: checked, labelled, kept
// as a new version, and recorded.
func (g *Gateway) changeMeta(ctx context.Context, a Actor, in Interaction) (Outcome, error) {
	patch := in
	patch.Code, patch.Body = Patch, nil
	patch.Patch = metaChange{meta: in.Operation.Meta, remove: in.Operation.Name == MetaDelete}
	out, err := g.write(ctx, a, patch)
	if err != nil {
		return Outcome{}, err
	}
	return metaOnly(out)
}

// metaChange is $meta-add and $meta-delete as an Amendment.
type metaChange struct {
	meta   *fhir.Value
	remove bool
}

var _ Amendment = metaChange{}

// Apply changes profiles, tags and labels, and nothing else of the resource. A label is never taken
// away here: that is an operation of its own, with a reason (DESIGN § 3, Labels).
func (c metaChange) Apply(r *fhir.Resource) ([]byte, error) {
	refuse := func(code string, name string) error {
		return &fhir.Error{Issues: []fhir.Issue{{
			Severity: "error", Type: "business-rule", Code: code, Expression: "Parameters.parameter.valueMeta." + name,
		}}}
	}
	for _, label := range c.meta.Get("security").Items() {
		if c.remove {
			return nil, refuse("meta.label-kept", "security")
		}
		if _, known := LabelOf(label.Get("code").Text()); !known || label.Get("system").Text() != LabelSystem || IsDirectory(r.Type()) {
			return nil, refuse("meta.label-unknown", "security")
		}
	}
	e := r.Edit()
	meta := r.Root().Get("meta")
	for _, name := range metaLists {
		asked := c.meta.Get(name).Items()
		if len(asked) == 0 {
			continue
		}
		if c.remove {
			dropItems(e, meta.Get(name), asked)
		} else {
			addItems(e, meta, name, asked)
		}
	}
	return e.Bytes()
}

func dropItems(e *fhir.Editor, there *fhir.Value, asked []*fhir.Value) {
	for _, v := range there.Items() {
		if slices.ContainsFunc(asked, func(a *fhir.Value) bool { return metaItem(a) == metaItem(v) }) {
			e.Remove(v)
		}
	}
}

// addItems adds what is not there yet. A label is added also when it is: what was there by rule is
// from now on named by the custodian.
func addItems(e *fhir.Editor, meta *fhir.Value, name string, asked []*fhir.Value) {
	var b []byte
	seen := make(map[string]bool)
	for _, v := range meta.Get(name).Items() {
		b = append(append(b, ','), v.Raw()...)
		seen[metaItem(v)] = name != "security"
	}
	for _, v := range asked {
		if item := metaItem(v); !seen[item] {
			seen[item] = true
			b = append(append(b, ','), v.Raw()...)
		}
	}
	b[0] = '['
	e.Set(meta, name, append(b, ']'))
}
