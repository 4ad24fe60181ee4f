package gateway

import (
	"context"
	"strings"

	"github.com/sluse/sluse/gateway/fhir"
)

// Names is a Directory that knows what its entries are called, Locations among them.
type Names interface {
	// Name is the name of an Organization, HealthcareService or Location, and of the organisation of a
	// PractitionerRole; "" when it has none.
	Name(fhir.Reference) string
}

// labelled labels content with the names that it refers to.
func (g *Gateway) labelled(ctx context.Context, dir Directory, res *fhir.Resource) (Labelling, error) {
	found, err := g.Labeller.Label(ctx, res)
	if err != nil {
		return Labelling{}, err
	}
	return found, g.tellNames(ctx, dir, res, &found)
}

// tellNames adds what the names of the units, places and senders tell that a record refers to: everybody
// can look them up in the directory, so that the reference says as much as the name (DESIGN § 3, Labels).
// What stands in a part is told by the part.
func (g *Gateway) tellNames(ctx context.Context, dir Directory, res *fhir.Resource, l *Labelling) error {
	names, ok := dir.(Names)
	if !ok || IsDirectory(res.Type()) {
		return nil
	}
	for _, v := range res.References() {
		ref, ok := fhir.LocalReference(g.Notices.Base, v.Get("reference").Text())
		if !ok || !IsDirectory(ref.Type) || strings.HasPrefix(v.Expression(), string(res.Type())+".meta.") {
			continue
		}
		ref.Version = ""
		name := names.Name(ref)
		if name == "" {
			continue
		}
		told, err := g.Labeller.Named(ctx, name)
		if err != nil {
			return err
		}
		if told != 0 {
			l.tell(res.Type(), v.Expression(), told)
		}
	}
	return nil
}

// partLists are the elements whose every entry is a part as soon as it tells something of its own.
var partLists = map[fhir.Type]string{
	"CarePlan": "CarePlan.activity[", "Composition": "Composition.section[", "Observation": "Observation.component[",
}

// tell adds labels to the innermost part that holds the place, which may thereby become one, or else
// to the record.
func (l *Labelling) tell(t fhir.Type, place string, told Labels) {
	at := -1
	for i, p := range l.Parts {
		if strings.HasPrefix(place, p.Path+".") && (at < 0 || len(p.Path) > len(l.Parts[at].Path)) {
			at = i
		}
	}
	list, end := partLists[t], strings.IndexByte(place, ']')
	switch {
	case at >= 0:
		l.Parts[at].Labels |= told
	case list != "" && end > 0 && strings.HasPrefix(place, list):
		l.Parts = append(l.Parts, Part{Path: place[:end+1], Labels: told})
	default:
		l.Labels |= told
	}
}
