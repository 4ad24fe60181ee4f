package postgres

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

var keeper = gateway.Scope{Own: "1", Write: true, Directory: true}

func (b *bench) list(t fhir.Type, id, members string) gateway.Record {
	b.Helper()
	d := b.draft("1", ref(t, id), "", 0)
	d.Body = []byte(fmt.Sprintf(`{"resourceType":%q,"id":%q%s}`, t, id, members))
	r, err := b.create(b.ctx, keeper, d, b.entry("1", d))
	if err != nil {
		b.Fatal(err)
	}
	return r
}

func organization(her, lov, partOf string) string {
	s := `,"name":"Org ` + her + `","type":[{"coding":[{"system":"` + SystemSector + `","code":"bydel-helse"}]},{"coding":[{"system":"` + SystemLovgrunnlag + `","code":"` + lov + `"}]}]`
	if lov == "" {
		s = `,"name":"Org"`
	}
	if her != "" {
		s += `,"identifier":[{"system":"` + fhir.SystemHER + `","value":"` + her + `"},{"system":"` + fhir.SystemOrgnr + `","value":"9` + her + `"}]`
	}
	if partOf != "" {
		s += `,"partOf":{"reference":"` + partOf + `"}`
	}
	return s
}

func identified(system, value string) string {
	return `,"identifier":[{"system":"` + system + `","value":"` + value + `"}]`
}

func to(element, reference string) string {
	return `,"` + element + `":{"reference":"` + reference + `"}`
}

func TestDirectoryResolves(t *testing.T) {
	b := newBench(t)
	b.list("Organization", "bydel", organization("", "", ""))
	b.list("Organization", "helse", organization("100", "helse-kommune", "Organization/bydel"))
	b.list("Organization", "sosial", organization("101", "sosial", "Organization/bydel"))
	b.list("Organization", "team", organization("102", "", "Organization/helse"))
	b.list("Organization", "rom", organization("", "", "Organization/helse"))
	b.list("Organization", "stengt", organization("103", "sosial", "Organization/bydel")+`,"active":false`)
	b.list("Organization", "a", organization("104", "", "Organization/b"))
	b.list("Organization", "b", organization("105", "", "Organization/a"))
	b.list("HealthcareService", "rus", identified(fhir.SystemHER, "200")+to("providedBy", "Organization/helse"))
	b.list("HealthcareService", "uten", to("providedBy", "Organization/helse"))
	b.list("Practitioner", "lege", identified(fhir.SystemHPR, "7"))
	b.list("Practitioner", "ukjent", ``)
	b.list("PractitionerRole", "legen", to("practitioner", "Practitioner/lege")+to("organization", "Organization/helse")+`,"code":[{"coding":[{"code":"lege"}]}]`)
	b.list("PractitionerRole", "noen", to("organization", "Organization/helse")+`,"code":[{"coding":[{"code":"lege"}]}]`)
	b.list("PractitionerRole", "hvem", to("practitioner", "Practitioner/ukjent")+to("organization", "Organization/helse")+`,"code":[{"coding":[{"code":"lege"}]}]`)
	b.list("PractitionerRole", "alle", to("organization", "Organization/helse"))
	b.list("Endpoint", "edi", `,"status":"active"`+to("managingOrganization", "Organization/sosial"))
	b.list("Questionnaire", "skjema", ``)
	dir, err := b.Directory(b.ctx)
	if err != nil {
		t.Fatal(err)
	}
	for her, want := range map[gateway.HERID]gateway.HERID{"100": "100", "101": "101", "102": "100", "200": "100", "103": "", "104": "", "999": "", "": ""} {
		p, ok := dir.Party(her)
		if ok != (want != "") || p.ID != want {
			t.Errorf("Party(%s) = %+v %v", her, p, ok)
		}
	}
	if p, _ := dir.Party("100"); p.Name != "Org 100" || p.OrgNumber != "9100" || p.Sector != "bydel-helse" || p.Lovgrunnlag != "helse-kommune" || p.Organization != ref("Organization", "helse") {
		t.Errorf("party %+v", p)
	}
	for name, want := range map[string]gateway.Address{
		"Organization/bydel":       {Parts: []gateway.HERID{"100", "101"}},
		"Organization/helse":       {Party: "100"},
		"Organization/team":        {Party: "100", Unit: "102"},
		"HealthcareService/rus":    {Party: "100", Unit: "200"},
		"Practitioner/lege":        {Practitioner: "7"},
		"PractitionerRole/legen":   {Party: "100", Practitioner: "7", Role: "lege"},
		"PractitionerRole/noen":    {Party: "100", Role: "lege"},
		"Endpoint/edi":             {Party: "101"},
		"Organization/rom":         {},
		"Organization/stengt":      {},
		"Organization/a":           {},
		"HealthcareService/uten":   {},
		"Practitioner/ukjent":      {},
		"PractitionerRole/hvem":    {},
		"PractitionerRole/alle":    {},
		"Questionnaire/skjema":     {},
		"Organization/finnes-ikke": {},
	} {
		r, err := fhir.ParseReference(name)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := dir.Resolve(r)
		if !reflect.DeepEqual(got, want) && !(got.Party == "" && len(got.Parts) == 0 && !ok && reflect.DeepEqual(want, gateway.Address{})) {
			t.Errorf("Resolve(%s) = %+v %v, want %+v", name, got, ok, want)
		}
		if ok == reflect.DeepEqual(want, gateway.Address{}) {
			t.Errorf("Resolve(%s) ok = %v", name, ok)
		}
	}
}

func TestDirectoryFollowsItsRevision(t *testing.T) {
	b := newBench(t)
	org := b.list("Organization", "helse", organization("100", "helse-kommune", ""))
	before, err := b.Directory(b.ctx)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := b.Directory(b.ctx)
	if before != again {
		t.Error("an unchanged directory was read anew")
	}
	// a snapshot keeps the directory it began with
	b.see(func(v *view) error {
		if _, err := v.Directory(b.ctx); err != nil {
			return err
		}
		b.list("Organization", "to", organization("300", "helse-kommune", ""))
		d, err := v.Directory(b.ctx)
		if err != nil {
			return err
		}
		if _, ok := d.Party("300"); ok {
			t.Error("a snapshot saw a later write")
		}
		return nil
	})
	d := b.draft("2", org.Reference, "", 0)
	d.Previous, d.Method = org.Reference.Version, gateway.Update
	d.Body = []byte(`{"resourceType":"Organization","id":"helse"` + organization("400", "helse-kommune", "") + `}`)
	refused := b.tx(func(tx *Tx) error { _, err := tx.put(b.ctx, own("2"), d); return err })
	if gateway.CodeOf(refused) != gateway.NotFound || refused == nil {
		t.Errorf("another party changed the entry: %v", refused)
	}
	if err := b.tx(func(tx *Tx) error {
		locked, err := tx.lock(b.ctx, keeper, ref("Organization", "helse"))
		if err != nil {
			return err
		}
		d.Custodian, d.Previous = "99", locked.Reference.Version
		r, err := tx.put(b.ctx, keeper, d)
		if r.Custodian != "1" {
			t.Errorf("the entry changed hands to %q", r.Custodian)
		}
		inside, err2 := tx.Directory(b.ctx)
		if err2 != nil {
			return err2
		}
		if _, ok := inside.Party("400"); !ok {
			t.Error("a transaction does not see its own write")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	after, _ := b.Directory(b.ctx)
	if _, ok := after.Party("100"); ok {
		t.Error("the old number is still known")
	}
	if _, ok := after.Party("400"); !ok {
		t.Error("the new number is not known")
	}
	if _, ok := before.Party("400"); ok {
		t.Error("a directory given earlier changed")
	}
	// two that claim one number: it is nobody's
	b.list("Organization", "tyv", organization("300", "helse-kommune", ""))
	twice, _ := b.Directory(b.ctx)
	if _, ok := twice.Party("300"); ok {
		t.Error("a number claimed twice is somebody's")
	}
	current, err := b.get(keeper, ref("Organization", "tyv"))
	if err != nil {
		t.Fatal(err)
	}
	gone := b.draft("1", current.Reference, "", 0)
	gone.Previous, gone.Method = current.Reference.Version, gateway.Delete
	if err := b.tx(func(tx *Tx) error { _, err := tx.put(b.ctx, keeper, gone); return err }); err != nil {
		t.Fatal(err)
	}
	last, _ := b.Directory(b.ctx)
	if _, ok := last.Party("300"); !ok {
		t.Error("a deleted entry still claims the number")
	}
}

func TestDirectoryIsReadByAll(t *testing.T) {
	b := newBench(t)
	b.list("Organization", "helse", organization("100", "helse-kommune", ""))
	scope := gateway.Scope{Directory: true}
	if _, err := b.get(scope, ref("Organization", "helse")); err != nil {
		t.Error(err)
	}
	if got := ids(b.find(scope, "Organization", gateway.Search{}, 0)); got != "helse" {
		t.Errorf("found %q", got)
	}
	b.patient("100", "100-kari", kari)
	for _, kind := range []fhir.Type{"Patient"} {
		if got := b.find(scope, kind, gateway.Search{}, 0); len(got) != 0 {
			t.Errorf("a directory scope finds %s", ids(got))
		}
		_, err := b.get(scope, ref(kind, "100-kari"))
		b.wants(err, gateway.NotFound)
	}
	d := b.draft("100", ref("CarePlan", "100-plan"), "", gateway.Plan)
	_, err := b.create(b.ctx, gateway.Scope{Directory: true, Write: true}, d, b.entry("100", d))
	b.wants(err, gateway.Forbidden)
}
