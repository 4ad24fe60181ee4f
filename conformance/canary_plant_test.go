package conformance_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sluse/sluse/conformance/definitions"
)

// planter writes resources with every element that R4 defines, and a word of its own in each place that holds
// a string.
type planter struct {
	structures map[string]*definitions.Structure
	values     map[string]definitions.ValueSet
	places     map[string]string // word to path
	patient    string            // whom the resource is about
	variant    int               // which type of a choice comes first
	kind       string
	prefix     string // of the words
}

func newPlanter(prefix string) *planter {
	p := &planter{structures: map[string]*definitions.Structure{}, values: map[string]definitions.ValueSet{}, places: map[string]string{}, prefix: prefix}
	tables := definitions.R4()
	for i := range tables.Structures {
		p.structures[tables.Structures[i].Name] = &tables.Structures[i]
	}
	for _, v := range tables.ValueSets {
		p.values[v.URL] = v
	}
	return p
}

// planted is a word as it is found again, whatever its case.
var planted = regexp.MustCompile(`(?i)kanari[a-z][0-9]{6}`)

// word is a new canary for a place.
func (p *planter) word(path string) string {
	w := fmt.Sprintf("kanari%s%06d", p.prefix, len(p.places))
	p.places[w] = path
	return w
}

// plant writes one resource, whole.
func (p *planter) plant(kind, id, patient string, variant int) map[string]any {
	p.kind, p.patient, p.variant = kind, patient, variant
	r := p.object(kind, kind, 0)
	r["resourceType"], r["id"] = kind, id
	r["meta"] = map[string]any{"tag": []any{p.coding(kind+".meta.tag", "")}, "source": "http://example.org/" + p.word(kind+".meta.source")}
	if p.structures[kind] != nil && kind != "Binary" {
		r["text"] = map[string]any{"status": "generated", "div": `<div xmlns="http://www.w3.org/1999/xhtml"><p>` + p.word(kind+".text") + `</p></div>`}
		r["contained"] = []any{map[string]any{"resourceType": "Practitioner", "id": "intern", "name": []any{map[string]any{"text": p.word(kind + ".contained")}}}}
		r["extension"] = []any{map[string]any{"url": "http://example.org/" + p.word(kind+".extension.url"), "valueString": p.word(kind + ".extension.value")},
			map[string]any{"url": "http://example.org/intern", "valueReference": map[string]any{"reference": "#intern", "display": p.word(kind + ".extension.valueReference")}}}
	}
	return r
}

// plantedElsewhere are elements of a whole resource that have rules of their own, or are written by plant.
var plantedElsewhere = strings.Fields("id meta text contained implicitRules language")

// object writes all elements of a type.
func (p *planter) object(name, path string, depth int) map[string]any {
	to, s := map[string]any{}, p.structures[name]
	if s == nil {
		return to
	}
	for i, e := range s.Elements {
		if depth == 0 && slices.Contains(plantedElsewhere, e.Name) || e.Name == "extension" || e.Name == "modifierExtension" || len(e.Types) == 0 {
			continue
		}
		if depth > 5 && e.Min == 0 {
			continue
		}
		t, member := e.Types[0], e.Name
		if base, choice := strings.CutSuffix(e.Name, "[x]"); choice {
			t = e.Types[(p.variant+i)%len(e.Types)]
			member = base + strings.ToUpper(t.Name[:1]) + t.Name[1:]
		}
		v := p.value(t, e, path+"."+member, depth)
		if v == nil {
			continue
		}
		if e.Max != 1 {
			v = []any{v}
		}
		to[member] = v
	}
	if depth == 1 || depth == 2 {
		to["extension"] = []any{map[string]any{"url": "http://example.org/" + p.word(path+".extension.url"), "valueString": p.word(path + ".extension.value")}}
	}
	return to
}

// value writes one of a type; nil for what cannot be written.
func (p *planter) value(t definitions.TypeRef, e definitions.Element, path string, depth int) any {
	switch t.Name {
	case "string", "markdown", "id":
		return p.word(path)
	case "code":
		if code, _ := p.code(e.ValueSet); code != "" {
			return code
		}
		switch {
		case strings.Contains(strings.ToLower(path), "contenttype"):
			return "text/plain"
		case strings.HasSuffix(path, "anguage"):
			return "nb"
		}
		return p.word(path)
	case "uri", "url", "canonical":
		return "http://example.org/" + p.word(path)
	case "base64Binary":
		return base64.StdEncoding.EncodeToString([]byte(p.word(path)))
	case "boolean":
		return true
	case "integer", "positiveInt", "unsignedInt":
		return json.Number("1")
	case "decimal":
		return json.Number("1.5")
	case "dateTime", "date":
		return "2026-02-03"
	case "instant":
		return "2026-02-03T10:15:00.000Z"
	case "time":
		return "10:15:00"
	case "Reference":
		return p.reference(t, path)
	case "Coding":
		return p.coding(path, e.ValueSet)
	case "CodeableConcept":
		return map[string]any{"coding": []any{p.coding(path+".coding", e.ValueSet)}, "text": p.word(path + ".text")}
	case "Period":
		return map[string]any{"start": "2026-02-03", "end": "2026-02-05"}
	case "Quantity", "Age", "Duration", "Count", "Distance", "SimpleQuantity":
		return map[string]any{"value": json.Number("1.5"), "unit": p.word(path + ".unit"), "system": "http://example.org/" + p.word(path+".system"), "code": p.word(path + ".code")}
	case "Resource", "Meta", "Narrative", "Extension", "oid", "uuid", "SampledData", "Timing", "Expression", "DataRequirement", "TriggerDefinition", "ParameterDefinition":
		return nil
	}
	if m := p.object(t.Name, path, depth+1); len(m) > 0 {
		return m
	}
	return nil
}

// code is the first of a value set that can be listed.
func (p *planter) code(url string) (code, system string) {
	if v, ok := p.values[url]; ok && !v.Open {
		for _, s := range v.Systems {
			if len(s.Codes) > 0 {
				return s.Codes[0], s.URL
			}
		}
	}
	return "", ""
}

func (p *planter) coding(path, set string) map[string]any {
	if code, system := p.code(set); code != "" {
		return map[string]any{"system": system, "code": code, "display": p.word(path + ".display"), "version": p.word(path + ".version")}
	}
	return map[string]any{"system": "http://example.org/" + p.word(path+".system"), "code": p.word(path + ".code"), "display": p.word(path + ".display"), "version": p.word(path + ".version")}
}

func (p *planter) reference(t definitions.TypeRef, path string) any {
	target := "Practitioner"
	if len(t.Targets) > 0 && t.Targets[0] != "Resource" {
		target = t.Targets[0]
	}
	to := target + "/" + p.word(path+".reference")
	if last := path[strings.LastIndexByte(path, '.')+1:]; last == "subject" || last == "patient" || last == "for" || target == "Patient" {
		to = p.patient
	}
	return map[string]any{"reference": to, "display": p.word(path + ".display"),
		"identifier": map[string]any{"system": "http://example.org/" + p.word(path+".identifier.system"), "value": p.word(path + ".identifier.value"), "type": map[string]any{"text": p.word(path + ".identifier.type")}}}
}

// sow stores a resource, less what the server will not have, and gives the words that are in it.
func (p *planter) sow(c *client, r map[string]any, change func(string) string) (words []string) {
	ref := key(r)
	for range 200 {
		body, err := json.Marshal(r)
		if err != nil {
			c.t.Fatal(err)
		}
		a, err := c.try(http.MethodPut, "/fhir/"+ref, "application/fhir+json", []byte(change(string(body))))
		if err != nil {
			c.t.Fatal(err)
		}
		if a.status == http.StatusCreated {
			return p.wordsOf(r)
		}
		places, whole := faultsOf(a.body)
		removed := false
		for _, at := range places {
			for !removed && strings.Contains(at, ".") { // what is missing is missed by what it belongs to
				removed = remove(r, at)
				at = at[:strings.LastIndexByte(at, '.')]
			}
		}
		if !removed && whole {
			removed = p.lighten(c, r, change)
		}
		if !removed {
			c.t.Errorf("%s cannot be planted: status %d: %s", ref, a.status, outcomeOf(a.body))
			return nil
		}
	}
	c.t.Errorf("%s cannot be planted: too many faults", ref)
	return nil
}

// wordsOf gives the words of a resource, also those in base64.
func (p *planter) wordsOf(v any) (words []string) {
	switch v := v.(type) {
	case map[string]any:
		for _, one := range v {
			words = append(words, p.wordsOf(one)...)
		}
	case []any:
		for _, one := range v {
			words = append(words, p.wordsOf(one)...)
		}
	case string:
		words = planted.FindAllString(v, -1)
		if b, err := base64.StdEncoding.DecodeString(v); err == nil {
			words = append(words, planted.FindAllString(string(b), -1)...)
		}
	}
	return words
}

// faultsOf gives where the errors of an outcome are; whole when one is about the resource itself.
func faultsOf(body []byte) (places []string, whole bool) {
	var o struct {
		Issue []struct {
			Severity   string
			Expression []string
		}
	}
	_ = json.Unmarshal(body, &o)
	for _, i := range o.Issue {
		if len(i.Expression) == 0 || !strings.Contains(i.Expression[0], ".") {
			whole = true
		} else if i.Severity != "warning" && i.Severity != "information" {
			places = append(places, i.Expression[0])
		}
	}
	return places, whole
}

// remove takes away the element at a path of FHIRPath, "CarePlan.activity[0].detail.kind".
func remove(r map[string]any, path string) bool {
	at := r
	list := strings.Split(path, ".")[1:]
	for n, one := range list {
		name, index, _ := strings.Cut(strings.TrimSuffix(one, "]"), "[")
		v, ok := at[name]
		if !ok {
			for member := range at { // a choice is named without its type
				if rest, is := strings.CutPrefix(member, name); is && rest != "" && rest[0] >= 'A' && rest[0] <= 'Z' {
					name, v, ok = member, at[member], true
				}
			}
		}
		if !ok {
			return false
		}
		if n == len(list)-1 {
			delete(at, name)
			return true
		}
		if items, is := v.([]any); is {
			i, _ := strconv.Atoi(index)
			if i >= len(items) {
				return false
			}
			v = items[i]
		}
		below, is := v.(map[string]any)
		if !is {
			return false
		}
		at = below
	}
	return false
}

// lighten takes away the member without which the fewest errors are left: for rules about a whole resource.
func (p *planter) lighten(c *client, r map[string]any, change func(string) string) bool {
	best, fewest := "", -1
	for _, member := range slices.Sorted(maps.Keys(r)) {
		if slices.Contains([]string{"resourceType", "id", "meta", "subject", "patient", "for"}, member) {
			continue
		}
		less := maps.Clone(r)
		delete(less, member)
		body, err := json.Marshal(less)
		if err != nil {
			c.t.Fatal(err)
		}
		a, err := c.try(http.MethodPost, "/fhir/"+text(r["resourceType"])+"/$validate", "application/fhir+json", []byte(change(string(body))))
		if err != nil {
			c.t.Fatal(err)
		}
		if n := strings.Count(string(a.body), `"severity":"error"`); fewest < 0 || n < fewest {
			best, fewest = member, n
		}
	}
	delete(r, best)
	return best != ""
}
