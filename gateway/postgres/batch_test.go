package postgres

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// What PutAll writes in a few statements is what Put writes one by one, in every table and column; and it gives the same
// records.
func TestPutAllWritesWhatPutWrites(t *testing.T) {
	one, all := newBench(t), newBench(t)
	for _, b := range []*bench{one, all} { // what is another's gives no record a person
		b.patient("200", "200-ola", ola)
		b.make(b.draft("200", ref("CarePlan", "200-plan"), "200-ola", gateway.Plan))
	}
	drafts := one.stay()
	var singly, together []gateway.Record
	if err := one.tx(func(tx *Tx) error {
		for _, d := range drafts {
			r, err := tx.put(one.ctx, own("100"), d)
			if err != nil {
				return fmt.Errorf("%s: %w", d.Reference, err)
			}
			singly = append(singly, r)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	late := slices.Clone(drafts) // a Binary before what it belongs to, and the Patient in the midst
	slices.Reverse(late[2:])
	late[0], late[3] = late[3], late[0]
	if err := all.tx(func(tx *Tx) (err error) {
		together, err = tx.putAll(all.ctx, own("100"), late)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for i, r := range together {
		at := slices.IndexFunc(singly, func(s gateway.Record) bool { return s.Reference == late[i].Reference })
		want := singly[at]
		if r.Reference != want.Reference || r.Person != want.Person || r.Key == 0 || r.Labels != want.Labels {
			t.Errorf("%d: %+v, want %+v", i, r, want)
		}
	}
	for _, table := range []string{"resource", "text_value", "word_value", "date_value", "amount_value", "part_value", "epoch", "person"} {
		want, got := one.dump(table), all.dump(table)
		if !slices.Equal(want, got) {
			t.Errorf("%s:\n%s\nwant\n%s", table, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if len(want) == 0 {
			t.Errorf("%s is empty: nothing is compared", table)
		}
	}
}

// Nothing is written when one of them may not be; and a name that is taken takes none of the others with it into the store.
func TestPutAllWritesAllOrNothing(t *testing.T) {
	b := newBench(t)
	b.patient("100", "100-kari", kari)
	taken := b.draft("100", ref("CarePlan", "100-taken"), "100-kari", gateway.Plan)
	b.make(taken)
	taken.Reference.Version = uuid(b)
	fresh := func() gateway.Draft { return b.draft("100", ref("CarePlan", "100-new"), "100-kari", gateway.Plan) }
	later := fresh()
	later.Previous = "1"
	for name, tt := range map[string]struct {
		draft gateway.Draft
		code  gateway.Code
	}{
		"another party's": {b.draft("200", ref("CarePlan", "200-new"), "", gateway.Plan), gateway.Forbidden},
		"the directory's": {b.draft("100", ref("Organization", "100-o"), "", 0), gateway.Forbidden},
		"a later version": {later, gateway.Forbidden},
		"a name in use":   {taken, gateway.Conflict},
	} {
		err := b.tx(func(tx *Tx) error {
			_, err := tx.putAll(b.ctx, own("100"), []gateway.Draft{fresh(), tt.draft})
			return err
		})
		if gateway.CodeOf(err) != tt.code || err == nil {
			t.Errorf("%s: %v, want %s", name, err, tt.code)
		}
	}
	if n := b.one(`select count(*) from resource where id = '100-new'`); n != 0 {
		t.Errorf("%d records were written", n)
	}
}

// stay is what a message may hold, in the order in which each can name what comes before it.
func (b *bench) stay() []gateway.Draft {
	patient := b.draft("100", ref("Patient", "100-kari"), "", gateway.Demografi)
	patient.National = nin(b, kari)
	about := func(body string, parts ...gateway.Part) gateway.Draft {
		return b.resource("100", body, "100-kari", gateway.Plan|gateway.Rus, parts...)
	}
	plan := about(`{"resourceType":"CarePlan","id":"100-plan","status":"active","intent":"plan","title":"Å, så","description":"Kjøkken",
"category":[{"coding":[{"system":"http://snomed.info/sct","code":"1"}],"text":"Råd"}],"subject":{"reference":"Patient/100-kari"},
"period":{"start":"2026-01-01","end":"2026-02-01"},
"activity":[{"detail":{"status":"scheduled","code":{"text":"Leilighet"},"scheduledPeriod":{"start":"2026-01-05"}}},{"detail":{"status":"completed"}}]}`,
		gateway.Part{Path: "CarePlan.activity[0]", Labels: gateway.Bolig})
	plan.Sent = []gateway.Sent{{To: "200", Mask: gateway.Plan}, {To: "300", Mask: gateway.Rus, Message: "X"}}
	plan.Low, plan.High = b.clock().AddDate(0, -1, 0), b.clock()
	plan.Added = gateway.Rus
	weight := about(`{"resourceType":"Observation","id":"100-weight","status":"final","subject":{"reference":"Patient/100-kari"},
"code":{"coding":[{"system":"http://loinc.org","code":"29463-7"}],"text":"Vekt"},"effectiveDateTime":"2026-01-01",
"valueQuantity":{"value":71.5,"unit":"kg","system":"http://unitsofmeasure.org","code":"kg"}}`)
	file := about(`{"resourceType":"DocumentReference","id":"100-doc","status":"current","subject":{"reference":"Patient/100-kari"},
"identifier":[{"system":"urn:x","value":"7"}],"content":[{"attachment":{"title":"Epikrise"}}]}`)
	kin := about(`{"resourceType":"RelatedPerson","id":"100-kin","patient":{"reference":"Patient/100-kari"},"name":[{"family":"Ås","given":["Per","Pål"]}]}`)
	held := b.draft("100", ref("Binary", "100-file"), "", gateway.Plan)
	held.Context = fhir.Reference{Type: "DocumentReference", ID: "100-doc"}
	loose := b.draft("100", ref("Binary", "100-loose"), "", gateway.Plan)
	nobody := b.draft("100", ref("Task", "100-task"), "", gateway.Logistikk)
	absent := b.draft("100", ref("Flag", "100-flag"), "100-nobody", gateway.Plan)
	foreign := b.draft("100", ref("Goal", "100-goal"), "200-ola", gateway.Plan)
	astray := b.draft("100", ref("Binary", "100-astray"), "", gateway.Plan)
	astray.Context = fhir.Reference{Type: "CarePlan", ID: "200-plan"}
	return []gateway.Draft{patient, plan, weight, kin, file, held, loose, nobody, absent, foreign, astray}
}

// dump is all of a table but the keys that the database gives, each row under the name of its record.
func (b *bench) dump(table string) []string {
	b.Helper()
	sql := `select coalesce(r.type || '/' || r.id, '') || ' ' || (to_jsonb(v) - 'rid' - 'vkey')::text from ` + table + ` v
left join resource r on to_jsonb(r)->'rid' = to_jsonb(v)->'rid' where r.custodian is distinct from '200' order by 1`
	rows, err := b.pool.Query(b.ctx, sql)
	if err != nil {
		b.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		b.Fatal(err)
	}
	return list
}
