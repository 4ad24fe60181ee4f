package mapping

import (
	"slices"
	"strings"
	"testing"
)

// ploSections are the sections of each root as plo.md § 2.3 lists them; the common tail is added to all.
var ploSections = map[string]string{
	"Pasientlogistikk":            "OrienteringOmDod MeldingOmUtskrevetPasient MeldingUtskrivningsklarPasient AvmeldingUtskrivningsklarPasient MeldingInnlagtPasient",
	"OrienteringOmTjenestetilbud": "EksisterendeTjeneste AssistertKommunikasjon",
	"MedisinskeOpplysninger": "TypeInnholdIMelding InfoMedisinskDiagnose MedisinskfagligeOpplysninger InfoReservasjon Legemiddelinfo " +
		"InfoIPLOSrelevantInformasjon Sykepleierdokumentasjon OpplysningerAndreFaggrupper InfoKartleggingFunksjonsniva InfoAssistertKommunikasjon " +
		"InfoInformasjonGitt TjenesteBehov InfoKontaktepisode InfoAndreViktigeOpplysninger OpplysningerTilSoknad",
	"HelseopplysningerVedSoknad": "TypeInnholdIMelding InfoMedisinskDiagnose MedisinskfagligeOpplysninger Sykepleierdokumentasjon " +
		"OpplysningerAndreFaggrupper InfoKartleggingFunksjonsniva InfoAssistertKommunikasjon InfoInformasjonGitt TjenesteBehov OpplysningerTilSoknad",
	"HelseopplysningerTilLege": "InnholdKonsultasjon InfoMedisinskDiagnose MedisinskfagligeOpplysninger InfoReservasjon Legemiddelinfo " +
		"InfoAndreViktigeOpplysninger Sykepleierdokumentasjon InfoKartleggingFunksjonsniva InfoInformasjonGitt InfoAssistertKommunikasjon",
	"Innleggelsesrapport": "InfoMedisinskDiagnose MedisinskfagligeOpplysninger InfoReservasjon Legemiddelinfo EksisterendeTjeneste " +
		"InfoKartleggingFunksjonsniva InfoAndreViktigeOpplysninger Sykepleierdokumentasjon OpplysningerAndreFaggrupper OpplysningerOmHjelpemidler " +
		"InfoAssistertKommunikasjon InfoInformasjonGitt",
	"TverrfagligEpikrise": "TypeInnholdIMelding InfoMedisinskDiagnose InfoAndreViktigeOpplysninger MedisinskfagligeOpplysninger InfoReservasjon " +
		"Legemiddelinfo Sykepleierdokumentasjon OpplysningerAndreFaggrupper InfoKartleggingFunksjonsniva TjenesteBehov InfoKontrolltime " +
		"OpplysningerOmHjelpemidler InfoInformasjonGitt InfoAssistertKommunikasjon OpplysningOpphold",
}

const (
	ploTail         = "InformasjonOmForsendelsen TilleggsopplysningPasient ParorendeForesatt TilknyttetEnhet KontaktpersonHelsepersonell AnsvarForRapport SendtDokument"
	ploTailOf15     = "InfoLegemidlerIBruk InfoSeponertLegemiddel"
	ploWithoutFiles = "Pasientlogistikk" // no document goes with logistics (plo.md § 2.5)
)

// TestEverySectionOfPLOHasALabel: each section that plo.md § 2.3 names is in the table, and each leaf of it stands in a
// section that names a label, or whose codes do.
func TestEverySectionOfPLOHasALabel(t *testing.T) {
	tables := theTable()
	for root, names := range ploSections {
		c := tables.classes[root]
		if c == nil {
			t.Errorf("no table for %s", root)
			continue
		}
		for _, name := range strings.Fields(names + " " + ploTail) {
			at := slices.IndexFunc(c.fields, func(f *field) bool { return f.name == name })
			switch {
			case at < 0 && !(root == ploWithoutFiles && name == "SendtDokument"):
				t.Errorf("%s/%s is not in the table", root, name)
			case at >= 0:
				for _, path := range unlabelled(c.fields[at], sectionRule{}, nil) {
					t.Errorf("%s/%s has no label", root, path)
				}
			}
		}
	}
	older := tables.classes["TverrfagligEpikrise@1.5"]
	for _, name := range strings.Fields(ploTailOf15) {
		found := older != nil && slices.ContainsFunc(older.fields, func(f *field) bool { return f.name == name })
		for _, other := range tables.messages {
			found = found || other.version == "1.5" && slices.ContainsFunc(other.rootClass.fields, func(f *field) bool { return f.name == name })
		}
		if !found {
			t.Errorf("%s of version 1.5 is not in the table", name)
		}
	}
}

// TestEveryLeafOfATableHasALabel: the same for every root of every version that is read.
func TestEveryLeafOfATableHasALabel(t *testing.T) {
	leaves := 0
	for _, m := range theTable().messages {
		for _, f := range m.rootClass.fields {
			leaves++
			for _, path := range unlabelled(f, sectionRule{}, nil) {
				t.Errorf("%s %s: %s/%s has no label", m.kind, m.version, m.root, path)
			}
		}
	}
	if leaves < 300 {
		t.Errorf("only %d fields", leaves)
	}
}

// unlabelled lists the leaves below a field that stand in no section with a label.
func unlabelled(f *field, rule sectionRule, above []*class) (paths []string) {
	if f.section.mode != "" {
		rule = f.section
	}
	if f.class == nil {
		if rule.mode == "" || len(rule.labels) == 0 && !rule.content {
			return []string{f.name}
		}
		return nil
	}
	for _, c := range f.classes() {
		if slices.Contains(above, c) {
			continue
		}
		for _, inner := range c.fields {
			for _, path := range unlabelled(inner, rule, append(above, c)) {
				paths = append(paths, f.name+"/"+path)
			}
		}
	}
	return paths
}
