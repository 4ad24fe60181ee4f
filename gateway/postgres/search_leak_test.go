package postgres

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

const (
	plainObservation = `{"resourceType":"Observation","id":"o1","status":"final","code":{"text":"Blodtrykk måling","coding":[{"system":"http://loinc.org","code":"85354-9","display":"Blood pressure"}]},
		"effectiveDateTime":"2026-11-02","subject":{"reference":"Patient/100-kari"},"performer":[{"reference":"Practitioner/lege"}],
		"hasMember":[{"reference":"Observation/o2"}],"valueQuantity":{"value":5.40,"system":"http://unitsofmeasure.org","code":"mg","unit":"mg"},
		"component":[{"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},"valueQuantity":{"value":120,"system":"http://unitsofmeasure.org","code":"mm[Hg]"}},
			{"code":{"coding":[{"system":"http://sluse.no/k","code":"promille","display":"Hemmelig promille"}]},"valueQuantity":{"value":2.1,"system":"http://unitsofmeasure.org","code":"g/L"}}]}`
	secondObservation = `{"resourceType":"Observation","id":"o2","status":"amended","code":{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.7110","code":"F102"}]},
		"effectiveDateTime":"2026-11-03","subject":{"reference":"Patient/100-kari"},"valueString":"Ærlig talt \\ 100% _under_","focus":[{"identifier":{"system":"urn:sak","value":"42"}}]}`
)

// clinic writes what the tests of parts and of ways over references search in.
func (b *bench) clinic() gateway.PersonID {
	b.Helper()
	p := b.resource("100", `{"resourceType":"Patient","id":"100-kari","name":[{"family":"Ødegård","given":["Kari"]}],"birthDate":"1980-02-03",
		"address":[{"city":"Skjulested"}],"telecom":[{"system":"phone","value":"90000000"}]}`, "", gateway.Samarbeid,
		gateway.Part{Path: "Patient.address[0]", Labels: gateway.Demografi})
	p.National = nin(b, kari)
	person := b.make(p).Person
	b.patient("200", "200-kari", kari)
	b.make(b.resource("100", `{"resourceType":"Practitioner","id":"lege","name":[{"family":"Lege"}]}`, "", 0))
	b.make(b.resource("100", plainObservation, "100-kari", gateway.Somatisk, gateway.Part{Path: "Observation.component[1]", Labels: gateway.Rus}))
	b.make(b.resource("100", secondObservation, "100-kari", gateway.Somatisk))
	b.make(b.resource("100", `{"resourceType":"Observation","id":"o3","status":"final","code":{"text":"Skjult"},"effectiveDateTime":"2026-11-04",
		"subject":{"reference":"Patient/100-kari"},"derivedFrom":[{"reference":"Observation/o1"}],"hasMember":[{"reference":"Observation/o1"}]}`, "100-kari", gateway.Rus))
	b.make(b.resource("100", `{"resourceType":"List","id":"liste","status":"current","mode":"working","title":"Åpen liste","subject":{"reference":"Patient/100-kari"},
		"entry":[{"item":{"reference":"Observation/o1"}},{"item":{"reference":"Observation/o3"}}]}`, "100-kari", gateway.Somatisk))
	b.make(b.resource("100", `{"resourceType":"List","id":"skjult","status":"current","mode":"working","title":"Skjult","subject":{"reference":"Patient/100-kari"},
		"entry":[{"item":{"reference":"Observation/o1"}}]}`, "100-kari", gateway.Rus))
	return person
}

// reader is a party that sees what its labels cover of one person.
func reader(person gateway.PersonID, mask gateway.Labels) gateway.Scope {
	return gateway.Scope{Own: "200", Person: person, Directory: true, Terms: []gateway.Term{{
		Effect: gateway.Allow, Custodians: gateway.Every[gateway.HERID](), Types: gateway.Every[fhir.Type](), Items: gateway.Every[fhir.Reference](), Mask: mask,
	}}}
}

// What each search finds: for the custodian, and for who sees no rus.
func TestSearchOverParts(t *testing.T) {
	b := newBench(t)
	person := b.clinic()
	for _, c := range []struct {
		kind             fhir.Type
		query            string
		custodian, other string
	}{
		{"Observation", "", "o1 o2 o3", "o1 o2"},
		{"Observation", "status=final", "o1 o3", "o1"},
		{"Observation", "status:not=final", "o2", "o2"},
		{"Observation", "code=85354-9", "o1", "o1"},
		{"Observation", "code=http://loinc.org|", "o1", "o1"},
		{"Observation", "code:text=blood", "o1", "o1"},
		{"Observation", "code:below=urn:oid:2.16.578.1.12.4.1.1.7110|F10", "o2", "o2"},
		{"Observation", "code:above=urn:oid:2.16.578.1.12.4.1.1.7110|F102", "o2", "o2"},
		{"Observation", "component-code=http://sluse.no/k|promille", "o1", ""},
		{"Observation", "component-code=promille,8480-6", "o1", "o1"},
		{"Observation", "combo-code:not=promille", "o2 o3", "o1 o2"},
		{"Observation", "component-code:text=hemmelig", "o1", ""},
		{"Observation", "component-code:missing=true", "o2 o3", "o2"},
		{"Observation", "component-value-quantity=gt2|http://unitsofmeasure.org|g/L", "o1", ""},
		{"Observation", "component-value-quantity=120", "o1", "o1"},
		{"Observation", "component-value-quantity=lt3", "o1", ""},
		{"Observation", "component-code-value-quantity=promille$gt1", "o1", ""},
		{"Observation", "component-code-value-quantity=http://loinc.org|8480-6$gt100|http://unitsofmeasure.org|mm[Hg]", "o1", "o1"},
		{"Observation", "component-code-value-quantity=promille$gt100", "", ""},
		{"Observation", "value-quantity=5.4|http://unitsofmeasure.org|mg", "o1", "o1"},
		{"Observation", "value-quantity=0.0054|http://unitsofmeasure.org|g", "o1", "o1"},
		{"Observation", "value-quantity=5.4||mg", "o1", "o1"},
		{"Observation", "value-quantity=ne5.4", "", ""},
		{"Observation", "value-quantity=ap5", "o1", "o1"},
		{"Observation", "value-string=ærlig", "o2", "o2"},
		{"Observation", "value-string=aerlig", "", ""},
		{"Observation", "value-string:contains=100% _un", "o2", "o2"},
		{"Observation", "value-string:contains=%", "o2", "o2"},
		{"Observation", "value-string:contains=TALT", "o2", "o2"},
		{"Observation", `value-string:exact=Ærlig talt \\ 100% _under_`, "o2", "o2"},
		{"Observation", `value-string:exact=ærlig talt \\ 100% _under_`, "", ""},
		{"Observation", "date=2026-11-02,2026-11-04", "o1 o3", "o1"},
		{"Observation", "date=ge2026-11-03", "o2 o3", "o2"},
		{"Observation", "date=ap2026-11-02", "o1 o2 o3", "o1 o2"},
		{"Observation", "subject:Patient=100-kari", "o1 o2 o3", "o1 o2"},
		{"Observation", "performer=lege", "o1", "o1"},
		{"Observation", "performer:Practitioner.name=leg", "o1", "o1"},
		{"Observation", "performer.name=leg", "o1", "o1"},
		{"Observation", "performer.name=kari", "", ""},
		{"Observation", "focus:identifier=urn:sak|42", "o2", ""},
		{"Observation", "focus:missing=false", "o2", ""},
		{"Observation", "patient.family=øde", "o1 o2 o3", "o1 o2"},
		{"Observation", "patient.address-city=skjul", "o1 o2 o3", ""},
		{"Observation", "patient.birthdate=1980-02-03", "o1 o2 o3", "o1 o2"},
		{"Observation", "has-member.status=amended", "o1", "o1"},
		{"Observation", "has-member.component-code=promille", "o3", ""},
		{"Observation", "has-member.has-member.status=amended", "o3", ""},
		{"Observation", "_has:Observation:has-member:status=final", "o1 o2", "o2"},
		{"Observation", "_has:Observation:has-member:code:text=skjult", "o1", ""},
		{"Observation", "_has:Observation:derived-from:_id=o3", "o1", ""},
		{"Observation", "_list=liste", "o1 o3", "o1"},
		{"Observation", "_list=skjult", "o1", ""},
		{"Observation", "_list=ukjent", "", ""},
		{"Observation", "_id=o1,o3", "o1 o3", "o1"},
		{"Observation", "_security=http://sluse.no/fhir/CodeSystem/informasjonskategori|rus", "o3", ""},
		{"Patient", "_has:Observation:patient:code:text=skjult", "100-kari", ""},
		{"Patient", "_has:Observation:patient:component-code=promille", "100-kari", ""},
		{"Patient", "_has:Observation:patient:code=85354-9", "100-kari", "100-kari"},
		{"Patient", "address-city=skjul", "100-kari", ""},
		{"Patient", "address-city:missing=true", "", "100-kari"},
		{"Patient", "phone=90000000", "100-kari", "100-kari"},
		{"Patient", "deceased=false", "100-kari", "100-kari"},
		{"Practitioner", "_has:Observation:performer:component-code=promille", "lege", ""},
		{"Practitioner", "_has:Observation:performer:code=85354-9", "lege", "lege"},
		{"List", "item=Observation/o3", "liste", "liste"},
	} {
		s := b.asked(c.kind, c.query)
		custodian := own("100")
		custodian.Directory = true
		seen := reader(person, gateway.Somatisk|gateway.Samarbeid)
		for _, about := range []gateway.PersonID{0, person} {
			if gateway.IsDirectory(c.kind) && about != 0 {
				continue
			}
			for who, one := range map[string]struct {
				scope gateway.Scope
				want  string
			}{"custodian": {custodian, c.custodian}, "other": {seen, c.other}} {
				rows := b.find(one.scope, c.kind, s, about)
				names := []string{}
				for _, r := range rows {
					if r.Reference.ID != "200-kari" {
						names = append(names, string(r.Reference.ID))
					}
				}
				slices.Sort(names)
				if got := strings.Join(names, " "); got != one.want {
					t.Errorf("%s?%s, %s, person %d: %q, want %q", c.kind, c.query, who, about, got, one.want)
				}
				var n int
				b.see(func(v *view) (err error) {
					n, err = v.total(b.ctx, one.scope, c.kind, s, about, 0)
					return err
				})
				if n != len(rows) {
					t.Errorf("%s?%s, %s, person %d: total %d of %d", c.kind, c.query, who, about, n, len(rows))
				}
			}
		}
	}
}

// Every parameter with every modifier and prefix becomes a statement that the database takes.
func TestEveryParameterRuns(t *testing.T) {
	b := newBench(t)
	person := b.clinic()
	values := map[fhir.ParamType][]string{
		fhir.Token: {"a", "s|a", "|a", "s|"}, fhir.StringParam: {"a"}, fhir.Uri: {"http://sluse.no/a"}, fhir.ReferenceParam: {"a"},
		fhir.Date:        {"2026", "ge2026-11-01", "ap2026-11-01", "ne2026-11", "sa2026", "eb2026", "lt2026", "gt2026", "le2026"},
		fhir.NumberParam: {"5", "gt5", "ap5.0"}, fhir.Quantity: {"5", "ne5", "ge5|http://unitsofmeasure.org|mg", "le5||mg", "sa5", "eb5", "ap5"},
	}
	count := 0
	b.see(func(v *view) error {
		for _, kind := range fhir.SearchTypes() {
			if kind == "AuditEvent" {
				continue
			}
			params := fhir.SearchParameters(kind)
			for i := range params {
				p := &params[i]
				var queries []string
				for _, value := range values[p.Type] {
					if p.Truth {
						value = "true"
					}
					if p.Name == "_id" {
						value = "a"
					}
					queries = append(queries, p.Name+"="+value)
				}
				if p.Type == fhir.Composite {
					queries = append(queries, p.Name+"="+values[p.Components[0]][0]+"$"+values[p.Components[1]][0])
				}
				for _, m := range p.Modifiers {
					switch m {
					case fhir.ModifierMissing:
						queries = append(queries, p.Name+":missing=true", p.Name+":missing=false")
					case fhir.ModifierNot:
						queries = append(queries, p.Name+":not="+map[bool]string{true: "true", false: "a"}[p.Truth])
					case fhir.ModifierAbove, fhir.ModifierBelow:
						queries = append(queries, p.Name+":"+string(m)+"="+map[bool]string{true: "http://sluse.no/a/b", false: "http://hl7.org/fhir/sid/icd-10|F10"}[p.Type == fhir.Uri])
					case fhir.ModifierIn:
						queries = append(queries, p.Name+":in=http://hl7.org/fhir/ValueSet/task-status")
					case fhir.ModifierType:
						queries = append(queries, p.Name+":"+string(slices.Concat(p.Chains, p.Targets, []fhir.Type{"Patient"})[0])+"=a")
					default:
						queries = append(queries, p.Name+":"+string(m)+"=a")
					}
				}
				if p.Sortable {
					queries = append(queries, "_sort="+p.Name, "_sort=-"+p.Name)
				}
				for _, query := range queries {
					s := b.asked(kind, query)
					for _, scope := range []gateway.Scope{own("100"), reader(person, gateway.Somatisk)} {
						if _, err := v.search(b.ctx, scope, kind, s, 0, 5, gateway.Cursor{}); err != nil {
							t.Fatalf("%s?%s: %v", kind, query, err)
						}
					}
					count++
				}
			}
		}
		return nil
	})
	if count < 2000 {
		t.Errorf("only %d searches", count)
	}
}
