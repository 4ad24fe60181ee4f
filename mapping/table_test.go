package mapping

import (
	"slices"
	"strings"
	"testing"
)

func TestTableParses(t *testing.T) {
	files, err := embeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	tab, err := parseTables(files)
	if err != nil {
		t.Fatal(err)
	}
	if len(tab.messages) < 35 || len(tab.classes) < 100 {
		t.Errorf("%d messages, %d classes", len(tab.messages), len(tab.classes))
	}
	used, seen := map[string]bool{}, map[*class]bool{}
	var walk func(c *class)
	walk = func(c *class) {
		if seen[c] {
			return
		}
		used[c.name], seen[c] = true, true
		for _, f := range c.fields {
			for _, k := range f.classes() {
				walk(k)
			}
		}
	}
	for _, m := range tab.messages {
		walk(m.rootClass)
	}
	for _, f := range files { // parents of others
		for _, line := range strings.Split(f.text, "\n") {
			words := strings.Fields(line)
			switch {
			case len(words) > 3 && words[0] == "class" && words[2] == ":":
				used[words[3]] = true
			case len(words) == 2 && words[0] == "with":
				used[words[1]] = true
			}
		}
	}
	for name := range tab.classes {
		if !used[name] {
			t.Errorf("class %s is reached by no message", name)
		}
	}
	for _, c := range tab.classes {
		for i, f := range c.fields {
			if slices.ContainsFunc(c.fields[:i], func(o *field) bool { return o.name == f.name && o.ns == f.ns }) {
				t.Errorf("class %s has %s twice", c.name, f.name)
			}
			for _, g := range f.targets {
				if g.through != "" && tab.maps[g.through] == nil {
					t.Errorf("class %s, %s: no map %s", c.name, f.name, g.through)
				}
			}
		}
	}
}

// TestTableRefusesMistakes: who corrects the table from the schema is told the line.
func TestTableRefusesMistakes(t *testing.T) {
	const ok = "ns po urn:x\nclass A\nfield po:X | 0..1 | TEXT | | note[+].text | one samarbeid | Tekst\nmessage M po:A A 1.6 in\n"
	if _, err := parseTables([]tableFile{{"ok", ok}}); err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string][2]string{
		"unknown prefix":    {"field po:", "field xx:"},
		"unknown kind":      {"TEXT", "TEKST"},
		"too few columns":   {" | Tekst", ""},
		"path":              {"note[+].text", "note[7].text"},
		"found by no name":  {"note[+].text", "note{x}.text"},
		"section mode":      {"one samarbeid", "noen samarbeid"},
		"section label":     {"one samarbeid", "one"},
		"class twice":       {"message", "class A\nmessage"},
		"no such class":     {"A 1.6", "B 1.6"},
		"unknown word":      {"ns po", "nsx po"},
		"constant not JSON": {"field", "= status final\nfield"},
		"field before all":  {"ns po urn:x\nclass A\n", ""},
	} {
		if _, err := parseTables([]tableFile{{name, strings.Replace(ok, edit[0], edit[1], 1)}}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestFreeTextIsNotSamarbeid: what somebody wrote freely never stands in a section that every permit covers. The theme of
// a dialogue is labelled by the policy, and a LOG_ message loses its free text.
func TestFreeTextIsNotSamarbeid(t *testing.T) {
	found := 0
	var walk func(c *class, path string, rule sectionRule)
	walk = func(c *class, path string, rule sectionRule) {
		for _, f := range c.fields {
			here := rule
			if f.section.mode != "" {
				here = f.section
			}
			if f.kind == "NOTE" || f.kind == "RICH" {
				found++
				if !here.content && !slices.ContainsFunc(here.labels, func(l string) bool { return l != "samarbeid" && l != "logistikk" }) {
					t.Errorf("%s/%s: %v", path, f.name, here.labels)
				}
			}
			for _, k := range f.classes() {
				walk(k, path+"/"+f.name, here)
			}
		}
	}
	for _, m := range theTable().messages {
		if m.reads && !theTable().logs[m.class] && !strings.HasPrefix(string(m.kind), "DIALOG_") {
			walk(m.rootClass, m.class, sectionRule{})
		}
	}
	if found < 30 {
		t.Errorf("only %d free texts", found)
	}
}

// noticed is a message with a question, information given, a document sent and remarks about contacts.
func noticed(t *testing.T) []byte {
	t.Helper()
	return edit(t, fixture(t, "medisinske-opplysninger/in.xml"),
		"</po:InformasjonOmForsendelsen>", `<po:Foresporsel><po:TypeForesp V="1" S="2.16.578.1.12.4.1.1.9152"/><po:Sporsmal>kanari-sporsmal</po:Sporsmal></po:Foresporsel></po:InformasjonOmForsendelsen>`,
		"</mo:MedisinskeOpplysninger>", `<po:InfoInformasjonGitt><po:InformasjonGitt><po:TypeInformasjon V="G" S="2.16.578.1.12.4.1.1.9502"/>`+
			`<po:BeskrivelseInformasjon>kanari-gitt</po:BeskrivelseInformasjon></po:InformasjonGitt></po:InfoInformasjonGitt>`+
			`<po:TilknyttetEnhet><po:Kontaktenhet><OrganisationName xmlns="http://www.kith.no/xmlstds/felleskomponent1">Hjemmetjenesten</OrganisationName></po:Kontaktenhet><po:Merknad>kanari-kontakt</po:Merknad></po:TilknyttetEnhet>`+
			`<po:SendtDokument><po:Opplysning V="4" S="2.16.578.1.12.4.1.1.8329"/><po:Merknad>kanari-sendt</po:Merknad></po:SendtDokument></mo:MedisinskeOpplysninger>`)
}

// TestQuestionsAndNoticesAreClinical: a party without rus reads none of their words, and no doubt is left that would
// withhold them from one with all three.
func TestQuestionsAndNoticesAreClinical(t *testing.T) {
	raw := noticed(t)
	in, err := Read(raw, ids)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"Forespørselen": "somatisk psykisk rus samarbeid", "Informasjon gitt": "somatisk psykisk rus samarbeid",
		"Sendte dokumenter": "somatisk psykisk rus samarbeid", "Merknad": "somatisk psykisk rus", "Kontakter": "samarbeid"}
	var withheld []string
	for _, s := range in.Sections {
		if labels, ok := want[s.Name]; ok {
			if got := strings.Join(s.Labels, " "); got != labels {
				t.Errorf("%s: %s, want %s", s.Name, got, labels)
			}
			delete(want, s.Name)
		}
		if slices.Contains(s.Labels, "rus") && !s.Whole {
			withheld = append(withheld, s.Path)
		}
	}
	if len(want) > 0 {
		t.Errorf("no sections %v", want)
	}
	for _, r := range in.Resources {
		if r.Type == "CareTeam" && strings.Contains(string(r.Body), "kanari-kontakt") {
			t.Error("the remark about a contact stands among the contacts")
		}
	}
	copied, err := Withhold(raw, withheld)
	if err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{"kanari-sporsmal", "kanari-gitt", "kanari-sendt", "kanari-kontakt"} {
		if strings.Contains(string(copied), words) {
			t.Errorf("%s crossed without rus", words)
		}
	}
	if !strings.Contains(string(copied), "Hjemmetjenesten") {
		t.Error("the contact is gone with the remark")
	}
	for _, text := range []string{"kanari-sporsmal", "kanari-gitt", "kanari-sendt"} {
		if !slices.ContainsFunc(in.Resources, func(r Resource) bool { return r.Type == "Communication" && strings.Contains(string(r.Body), text) }) {
			t.Errorf("%s stands in no resource", text)
		}
	}
}

// TestQuestionOfALogisticsMessage: only its codes are left, which say no more than that the patient is known.
func TestQuestionOfALogisticsMessage(t *testing.T) {
	raw := edit(t, fixture(t, "log-innlagt/in.xml"), "</po:InformasjonOmForsendelsen>",
		`<po:Foresporsel><po:TypeForesp V="1" S="2.16.578.1.12.4.1.1.9152"/><po:Sporsmal>kanari-sporsmal</po:Sporsmal></po:Foresporsel></po:InformasjonOmForsendelsen>`)
	in, err := Read(raw, ids)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range in.Sections {
		if s.Name == "Forespørselen" && !slices.Equal(s.Labels, []string{"samarbeid"}) || strings.HasSuffix(s.Path, "/Sporsmal") && !s.Drop {
			t.Errorf("%s: %v", s.Path, s.Labels)
		}
	}
	for _, r := range in.Resources {
		if r.Key != "original-binary" && strings.Contains(string(r.Body), "kanari-sporsmal") {
			t.Errorf("free text in %s", r.Key)
		}
	}
}
