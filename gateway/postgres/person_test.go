package postgres

import (
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

func (b *bench) about(party gateway.HERID, s gateway.Subject) (f gateway.Facts, own bool) {
	b.Helper()
	b.see(func(v *view) (err error) {
		f, own, err = v.FactsAbout(b.ctx, party, s)
		return err
	})
	return f, own
}

func (b *bench) of(r fhir.Reference) (f gateway.Facts) {
	b.Helper()
	b.see(func(v *view) (err error) {
		f, err = v.FactsOf(b.ctx, r)
		return err
	})
	return f
}

func TestPatientsWithOneNumberAreOnePerson(t *testing.T) {
	b := newBench(t)
	bydel := b.patient("100", "100-kari", kari)
	lege := b.patient("200", "200-kari", kari)
	other := b.patient("200", "200-ola", ola)
	unnumbered := b.patient("200", "200-ukjent", "")
	again := b.patient("200", "200-ukjent2", "")
	if bydel.Person != lege.Person {
		t.Error("the same number gave two persons")
	}
	seen := map[gateway.PersonID]bool{bydel.Person: true, other.Person: true, unnumbered.Person: true, again.Person: true}
	if len(seen) != 4 || seen[0] {
		t.Errorf("four persons became %v", seen)
	}
	f, own := b.about("100", gateway.Subject{Patient: ref("Patient", "100-kari")})
	if f.Person != bydel.Person || !own || f.Epoch == 0 {
		t.Errorf("own Patient: %v %v", f, own)
	}
	if f, own := b.about("300", gateway.Subject{Patient: ref("Patient", "100-kari")}); f.Person != bydel.Person || own {
		t.Errorf("another's Patient: %v %v", f, own)
	}
	if f, _ := b.about("300", gateway.Subject{NIN: nin(b, ola)}); f.Person != other.Person {
		t.Errorf("by number: %v", f)
	}
	if f, own := b.about("300", gateway.Subject{NIN: nin(b, nobil)}); f.Person != 0 || own {
		t.Errorf("unknown number: %v %v", f, own)
	}
	if f, own := b.about("300", gateway.Subject{Patient: ref("Patient", "none")}); f.Person != 0 || own {
		t.Errorf("unknown Patient: %v %v", f, own)
	}
	if n := b.one(`select count(*) from person where nin is not null and (position($1::bytea in nin) > 0 or length(nin) <> 32)`, []byte(kari)); n != 0 {
		t.Error("a national number stands in the table of persons")
	}
}

func TestForeignOrUnknownSubjectGivesNoPerson(t *testing.T) {
	b := newBench(t)
	p := b.patient("100", "100-kari", kari)
	for _, subject := range []string{"100-kari", "100-none", ""} {
		r := b.make(b.draft("200", ref("CarePlan", "200-plan"+subject), subject, gateway.Plan))
		if r.Person != 0 {
			t.Errorf("subject %q of another party gave person %d", subject, r.Person)
		}
		scope := permitting(gateway.AllLabels)
		scope.Own = "300"
		scope.Terms[0].Custodians = gateway.Every[gateway.HERID]()
		_, err := b.get(scope, r.Reference)
		b.wants(err, gateway.NotFound)
		if _, err := b.get(own("200"), r.Reference); err != nil {
			t.Errorf("the custodian reads it: %v", err)
		}
	}
	// guessing another party's Patient id later does not bring the person either
	r := b.make(b.draft("200", ref("Goal", "200-goal"), "", gateway.Plan))
	r = b.set(b.next(r, func(d *gateway.Draft) { d.Subject = ref("Patient", "100-kari") }))
	if r.Person == p.Person || r.Person != 0 {
		t.Errorf("an update with a guessed Patient gave person %d", r.Person)
	}
	deleted := b.patient("200", "200-ola", ola)
	d := b.draft("200", ref("Patient", "200-ola"), "", 0)
	d.Previous, d.Method = deleted.Reference.Version, gateway.Delete
	b.set(d)
	if r := b.make(b.draft("200", ref("Goal", "200-late"), "200-ola", gateway.Plan)); r.Person != 0 {
		t.Error("a deleted Patient gave a person")
	}
}

func TestRecordWrittenBeforeItsPatientFindsIt(t *testing.T) {
	b := newBench(t)
	early := b.make(b.draft("100", ref("CarePlan", "100-plan"), "100-kari", gateway.Plan))
	foreign := b.make(b.draft("200", ref("CarePlan", "200-plan"), "100-kari", gateway.Plan))
	if early.Person != 0 {
		t.Fatal("a person before the Patient")
	}
	p := b.patient("100", "100-kari", kari)
	if f := b.of(early.Reference); f.Person != p.Person {
		t.Errorf("facts of the early record are of %d, want %d", f.Person, p.Person)
	}
	if f := b.of(foreign.Reference); f.Person != 0 {
		t.Errorf("another party's record got person %d", f.Person)
	}
}

func TestChangedNumberMovesOwnRecords(t *testing.T) {
	b := newBench(t)
	bydel := b.patient("100", "100-kari", kari)
	lege := b.patient("200", "200-kari", kari)
	plan := b.make(b.draft("100", ref("CarePlan", "100-plan"), "100-kari", gateway.Plan))
	kept := b.make(b.draft("200", ref("CarePlan", "200-plan"), "200-kari", gateway.Plan))
	second := b.patient("100", "100-kari2", kari)
	stays := b.make(b.draft("100", ref("CarePlan", "100-plan2"), "100-kari2", gateway.Plan))
	consent := b.make(b.draft("100", ref("Consent", "100-samtykke"), "100-kari", gateway.Samarbeid))
	grant := gateway.Grant{Consent: consent.Reference, Path: "Consent.provision", Effect: gateway.Allow, Labels: gateway.Plan,
		Recipients: gateway.Only[gateway.Recipient]("p:300"), Custodians: gateway.Only[gateway.HERID]("100"), Start: start.Add(-1), End: start.Add(1e12)}
	if err := b.tx(func(tx *Tx) error {
		return tx.PutGrants(b.ctx, consent.Person, consent.Reference, []gateway.Grant{grant}, gateway.Basis{})
	}); err != nil {
		t.Fatal(err)
	}
	before := b.of(kept.Reference)
	if len(before.Grants) < 10 {
		t.Fatalf("no grants: %s", before.Grants)
	}
	b.set(b.next(bydel, func(d *gateway.Draft) { d.National = nin(b, ola) }))
	after, moved := b.of(kept.Reference), b.of(plan.Reference)
	if moved.Person == before.Person || moved.Person != b.of(ref("Patient", "100-kari")).Person || moved.Person != b.of(consent.Reference).Person {
		t.Errorf("the records did not follow: %d, was %d", moved.Person, before.Person)
	}
	if f, _ := b.about("100", gateway.Subject{NIN: nin(b, ola)}); f.Person != moved.Person {
		t.Error("the new number is of another person")
	}
	if after.Person != lege.Person || b.of(ref("Patient", "200-kari")).Person != lege.Person {
		t.Error("another party's records moved")
	}
	if b.of(stays.Reference).Person != second.Person {
		t.Error("a record of the custodian's other Patient moved")
	}
	if after.Epoch <= before.Epoch || moved.Epoch == 0 {
		t.Errorf("epochs %d then %d, new person %d", before.Epoch, after.Epoch, moved.Epoch)
	}
	if grants, err := gateway.DecodeGrants(after.Grants); err != nil || len(grants) != 0 {
		t.Errorf("the old person keeps the grants of a Consent that is no longer hers: %v %v", grants, err)
	}
	if grants, err := gateway.DecodeGrants(moved.Grants); err != nil || len(grants) != 1 {
		t.Errorf("the grants did not follow: %v %v", grants, err)
	}
	// the past version is of the person it was about: a permit of the new person does not open it
	v := b.set(b.next(plan, func(d *gateway.Draft) { d.Subject = ref("Patient", "100-kari") }))
	if v.Person != moved.Person {
		t.Error("a new version has another person")
	}
	scope := permitting(gateway.AllLabels)
	if _, err := b.get(scope, v.Reference); err != nil {
		t.Errorf("the current version: %v", err)
	}
	// number taken away: a person of her own
	b.set(b.next(b.must(ref("Patient", "100-kari")), nil))
	if f := b.of(plan.Reference); f.Person == moved.Person || f.Person == lege.Person || f.Person == 0 {
		t.Errorf("without number person %d", f.Person)
	}
}

func (b *bench) must(r fhir.Reference) gateway.Record {
	b.Helper()
	got, err := b.get(own("100"), r)
	if err != nil {
		b.Fatalf("read %s: %v", r, err)
	}
	return got
}

// A record that is being written while the number of its Patient changes ends with the Patient's
// person, whichever comes first.
func TestChangedNumberLeavesNoRecordBehind(t *testing.T) {
	b := newBench(t)
	b.patient("100", "100-kari", kari)
	stop := make(chan struct{})
	done := make(chan error, 2)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			d := b.draft("100", ref("Goal", uuid(b)), "100-kari", gateway.Plan)
			if i%2 == 0 {
				if _, err := b.create(b.ctx, own("100"), d, b.entry("100", d)); err != nil {
					done <- err
					return
				}
				continue
			}
			err := b.tx(func(tx *Tx) error { _, err := tx.put(b.ctx, own("100"), d); return err })
			if err != nil && gateway.CodeOf(err) != gateway.Unavailable { // moves without pause may outlast its tries
				done <- err
				return
			}
		}
	}()
	for i := range 40 {
		number := []string{ola, kari, ""}[i%3]
		b.set(b.next(b.must(ref("Patient", "100-kari")), func(d *gateway.Draft) {
			if number != "" {
				d.National = nin(b, number)
			}
		}))
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := b.one(`select count(*) from resource where type = 'Goal'`); n < 10 {
		t.Fatalf("only %d records written meanwhile", n)
	}
	if n := b.one(`select count(*) from resource r join resource p on p.type = 'Patient' and p.id = r.subject
		where r.type = 'Goal' and r.person is distinct from p.person`); n != 0 {
		t.Errorf("%d records are of a person that their Patient is not", n)
	}
}

// The same, when the record comes after the snapshot in which the number is changed.
func TestChangedNumberSeesRecordsAfterItsSnapshot(t *testing.T) {
	b := newBench(t)
	patient := b.patient("100", "100-kari", kari)
	var late gateway.Record
	if err := b.tx(func(tx *Tx) error {
		if _, err := tx.FactsOf(b.ctx, patient.Reference); err != nil {
			return err
		}
		if late.Key == 0 {
			late = b.make(b.draft("100", ref("Goal", "100-late"), "100-kari", gateway.Plan))
		}
		_, err := tx.put(b.ctx, own("100"), b.next(patient, func(d *gateway.Draft) { d.National = nin(b, ola) }))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if was, is, her := patient.Person, b.of(late.Reference).Person, b.of(patient.Reference).Person; is != her || is == was {
		t.Errorf("the late record is of person %d, its Patient of %d, before of %d", is, her, was)
	}
}
