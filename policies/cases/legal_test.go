package cases

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// The tables that come with the program are read, and ask enough for an answer to mean something.
func TestLegalTables(t *testing.T) {
	t.Parallel()
	tables, err := LoadLegal()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	asked, listed, regimes := 0, 0, map[Regime]int{}
	for _, table := range tables {
		for _, l := range table.Cases {
			if files[l.ID] != "" {
				t.Errorf("%s is in %s and in %s", l.ID, files[l.ID], table.File)
			}
			files[l.ID] = table.File
			withheld := 0
			for _, q := range l.Questions {
				asked++
				if !q.Listed {
					withheld++
					continue
				}
				listed++
				regimes[q.Regime]++
				if !decisions[l.Decision] {
					t.Errorf("%s: something crosses by %q", l.ID, l.Decision)
				}
			}
			if withheld == 0 {
				t.Errorf("%s asks for nothing that is withheld", l.ID)
			}
		}
	}
	if len(files) < 63 || asked < 1500 || regimes[ByLov] < 40 || regimes[BySamtykke] < 20 {
		t.Errorf("%d cases, %d questions, %d listed %v: too few", len(files), asked, listed, regimes)
	}
}

// A file that is not right is refused with the line and the element.
func TestLegalRefusesBadFiles(t *testing.T) {
	t.Parallel()
	all, err := LegalFiles()
	if err != nil {
		t.Fatal(err)
	}
	good := string(all["legal-avslag.yaml"]) + `  - id: Z01
    title: t
    decision: permit
    law: l
    who: [sykepleier]
    what: [plan]
    purposes: [TREAT, COC]
    actions: [read]
    regimes: [samtykke]
    samtykke:
      - {purpose: TREAT, law: HPL22, duty: log}
`
	if _, err := ReadLegal("f", []byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ old, new, want string }{
		"not YAML":                     {"cases:", "cases: [", "line"},
		"not marked for review":        {"needsLegalReview: true", "needsLegalReview: false", "line 1: needsLegalReview"},
		"an unknown element":           {"who:\n  sykepleier", "whom:\n  sykepleier", "whom"},
		"an unknown element of a case": {"    title: t\n", "    tittel: t\n", "tittel"},
		"an unknown element of a row":  {"{purpose: TREAT,", "{formål: TREAT,", "formål"},
		"no id":                        {"id: Z01", "id: ''", "id"},
		"an id twice":                  {"id: Z01", "id: X01", "id: \"X01\""},
		"an unknown decision":          {"decision: permit", "decision: maybe", "decision: \"maybe\""},
		"an unknown asker":             {"who: [sykepleier]\n    what: [plan]\n    purposes: [TREAT, COC]\n    actions: [read]\n    regimes", "who: [lege]\n    what: [plan]\n    purposes: [TREAT, COC]\n    actions: [read]\n    regimes", "who: \"lege\""},
		"an unknown record":            {"what: [plan]\n    purposes: [TREAT, COC]\n    actions: [read]\n    regimes", "what: [journal]\n    purposes: [TREAT, COC]\n    actions: [read]\n    regimes", "what: \"journal\""},
		"a row of nothing":             {"{purpose: TREAT,", "{purpose: BTG,", "line"},
		"a row of too much":            {"{purpose: TREAT,", "{purpose: [TREAT, BTG],", "purpose: the case does not ask for \"BTG\""},
		"a row without law":            {"law: HPL22, duty", "duty", "law and duty"},
		"a row of an unknown duty":     {"duty: log}", "duty: none}", "law and duty"},
		"what crosses by a deny":       {"decision: permit", "decision: deny", "decision"},
		"a permit of nothing":          {"    samtykke:\n      - {purpose: TREAT, law: HPL22, duty: log}\n", "", "nothing is listed"},
		"a deny without reason":        {"    reason: Det blir ikke aktivt.\n", "", "reason"},
		"an unknown party":             {"{party: bydel, practitioner: \"7000001\", role: sykepleier}", "{party: bydelen}", "question.party: there is no party \"bydelen\""},
		"an unknown field of a record": {"{type: CarePlan, id: p1, custodian: ous,", "{type: CarePlan, id: p1, custodian: ous, eier: x,", "record.eier"},
	} {
		bad := strings.Replace(good, tt.old, tt.new, 1)
		if bad == good {
			t.Fatalf("%s: nothing is replaced", name)
		}
		if _, err := ReadLegal("f", []byte(bad)); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "line ") {
			t.Errorf("%s: %v, want a line and %q", name, err, tt.want)
		}
	}
}

// Every difference is told: what crosses and should not, what does not and should, on another basis, with another duty.
func TestReportTellsDifferences(t *testing.T) {
	t.Parallel()
	tables, err := LoadLegal()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(tables, func(t Table) bool { return t.File == "legal-andre-etater.yaml" })
	right := func(q LegalQuestion) Answer {
		if !q.Listed {
			return Answer{}
		}
		return Answer{Crosses: true, Duty: q.Duty, Bases: []Basis{{Law: q.Law, Paragraph: "p", Provision: "c"}}}
	}
	answers := map[string]func(LegalQuestion) Answer{
		"":                                      right,
		"krysser, og skal holdes tilbake":       func(LegalQuestion) Answer { return Answer{Crosses: true} },
		"holdes tilbake, og skal krysse":        func(LegalQuestion) Answer { return Answer{} },
		"krysser på et annet grunnlag enn NAV7": func(q LegalQuestion) Answer { a := right(q); a.Bases = nil; return a },
		"krysser med plikten":                   func(q LegalQuestion) Answer { a := right(q); a.Duty += "x"; return a },
	}
	for _, want := range slices.Sorted(maps.Keys(answers)) {
		r, err := tables[at].Ask(func(q LegalQuestion) (Answer, error) { return answers[want](q), nil })
		if err != nil {
			t.Fatal(err)
		}
		var text, object strings.Builder
		if err := r.Text(&text, true); err != nil {
			t.Fatal(err)
		}
		if err := r.JSON(&object); err != nil {
			t.Fatal(err)
		}
		if (r.Differ == 0) != (want == "") || !strings.Contains(text.String(), want) || !strings.Contains(object.String(), want) {
			t.Errorf("%q: %d differ:\n%.600s", want, r.Differ, text.String())
		}
	}
}
