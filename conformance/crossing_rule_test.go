package conformance_test

import "strings"

// sectionRule is a section of a message: the elements it begins with, and the labels of which each must be covered
// before any of it crosses (DESIGN § 3, Labels; PLO as of HIS 80704). Codes add to them.
type sectionRule struct {
	at     string
	labels string
	kept   bool // a text with labels of its own that no record is made of
}

// crossingSections is written beside the tables and not taken from them: a label that a table loses is missed here.
var crossingSections = []sectionRule{
	{at: "InformasjonOmForsendelsen/Foresporsel", labels: "somatisk psykisk rus samarbeid"},
	{at: "InfoMedisinskDiagnose"},
	{at: "Cave", labels: "somatisk legemidler"},
	{at: "Allerginotat", labels: "somatisk legemidler"},
	{at: "InfoTidligereSykdommer"},
	{at: "GenereltJournalnotat", labels: "somatisk psykisk rus"},
	{at: "RegistrertBlodtype", labels: "somatisk"},
	{at: "ReservasjonOnske", labels: "uklassifisert"},
	{at: "Legemiddelinfo", labels: "legemidler"},
	{at: "LegemidlerAdministrertVedOverforing", labels: "legemidler"},
	{at: "InfoLegemidlerIBruk", labels: "legemidler"},
	{at: "InfoSeponertLegemiddel", labels: "legemidler"},
	{at: "InfoIPLOSrelevantInformasjon", labels: "tjenester"},
	{at: "InfoFraSykepleier", labels: "somatisk psykisk rus funksjon"},
	{at: "InfoAvtaleOmLegemiddeladm", labels: "legemidler tjenester"},
	{at: "InfoVurderinger", labels: "somatisk psykisk rus funksjon"},
	{at: "IverksatteTiltak", labels: "plan tjenester"},
	{at: "AnbefaltVidereTiltak", labels: "plan tjenester"},
	{at: "InfoMaalForventetRes", labels: "plan"},
	{at: "Sykepleierdokumentasjon/Ansvarlig", labels: "somatisk psykisk rus funksjon"},
	{at: "AndreFagrapporter", labels: "somatisk psykisk rus funksjon"},
	{at: "InfoKartleggingFunksjonsniva", labels: "funksjon"},
	{at: "AssistertKommunikasjon", labels: "tolk funksjon"},
	{at: "InformasjonGitt", labels: "samarbeid"},
	{at: "TjenesteBehov", labels: "tjenester"},
	{at: "EksisterendeTjeneste", labels: "tjenester"},
	{at: "InfoKontaktepisode", labels: "logistikk samarbeid"},
	{at: "InfoKontrolltime", labels: "logistikk samarbeid"},
	{at: "OpplysningerOmHjelpemidler", labels: "somatisk funksjon"},
	{at: "OpplysningOpphold", labels: "somatisk psykisk rus logistikk samarbeid"},
	{at: "OpplysningerTilSoknad", labels: "tjenester"},
	{at: "TilleggsopplysningPasient", labels: "demografi"},
	{at: "ParorendeForesatt", labels: "parorende"},
	{at: "SendtDokument", labels: "somatisk psykisk rus samarbeid"},
	{at: "Pasientlogistikk", labels: "logistikk samarbeid"},
	{at: "Dialogmelding", labels: "samarbeid"},

	{at: "TypeInnholdIMelding/Merknad", labels: freeText, kept: true},
	{at: "InnholdKonsultasjon/Merknad", labels: freeText, kept: true},
	{at: "FellesinfoKontaktepisode/Merknad", labels: freeText, kept: true},
	{at: "InformasjonOmTentativTime/Merknad", labels: freeText, kept: true},
	{at: "TilknyttetEnhet/Merknad", labels: freeText, kept: true},
	{at: "KontaktpersonHelsepersonell/Merknad", labels: freeText, kept: true},
	{at: "AnsvarForRapport/Merknad", labels: freeText, kept: true},

	{at: "ReqServ", labels: "henvisning somatisk psykisk rus"},
	{at: "ReqComment", labels: "henvisning somatisk psykisk rus"},
	{at: "PatientPrecaution", labels: "somatisk psykisk rus smitte voldsrisiko"},
	{at: "ReasonAsText", labels: "somatisk psykisk rus henvisning"},
	{at: "InfItem", labels: "somatisk psykisk rus legemidler"},
	{at: "ServReq/Comment", labels: "somatisk psykisk rus samarbeid"},
	{at: "ServRprt/ServReq", labels: "henvisning somatisk psykisk rus"},
	{at: "ServRprt/RefDoc", labels: "uklassifisert"},
	{at: "Event", labels: "samarbeid somatisk psykisk rus"},
}

// freeText are the labels of a text that may tell of anything.
const freeText = "somatisk psykisk rus"

// sectionOf gives the rule of the place: the deepest one that its path goes through.
func sectionOf(path string) (found *sectionRule) {
	deepest := -1
	for i := range crossingSections {
		rule := &crossingSections[i]
		at := strings.LastIndex("/"+path+"/", "/"+rule.at+"/")
		if end := at + len(rule.at); at >= 0 && end > deepest && (!rule.kept || strings.HasSuffix(path, rule.at)) {
			found, deepest = rule, end
		}
	}
	return found
}

// What a message and FHIR may differ in, and nothing else:
//
//   - section: a section goes whole or not at all, also where the records it becomes are released one by one. It crosses
//     when every one of them does.
//   - kept: a text that no record is made of stands in the original only. It is held against a DocumentReference with
//     the labels of the text.
//   - whole: of epikrise and henvisning all crosses, or nothing.
//   - frame: a message of which something is withheld, and only the head and what no record is made of is left, is not
//     delivered.
//   - head: what every message tells, that the sender knows the person and wants something of the receiver, crosses with
//     any section, also where no consent names its type. Without the head of the Patient, or where the head has labels of
//     its own that are not covered, nothing crosses.
//   - inside: a text with labels of its own that stands in another section needs that one too.
//   - contacts: whom to ask is in FHIR a CareTeam, which never crosses. In a message it is a section as any other, of
//     the label samarbeid: it is held against the head of the Patient.
//   - display: the name of somebody is in FHIR the display of a reference, which records lose on crossing. Names bear no
//     mark.
//   - log: the free text of LOG_ messages never crosses.
//   - earlier: what was withheld when the message came stays withheld, so it crosses only when FHIR released it both
//     then and at the fetch.
//   - action: a consent to the one action alone gives that alone.
//   - registered: what somebody else than the custodian has registered is for messages only.
//   - person: a consent for one practitioner needs a message that names her.

// crosses is what of a message the rules let its receiver have, when FHIR releases the twins of its leaves and records.
func (m *crossingMessage) crosses(groups []crossingGroup, released func(leaf) bool, record func(string) bool) map[int]bool {
	all, substance := true, false
	given, inside := map[int]bool{}, map[string]bool{}
	for _, outer := range []bool{true, false} {
		for _, g := range groups {
			if (g.inside == "" || len(g.records) > 0) != outer {
				continue
			}
			whole, lost := !outer && inside[g.inside] || outer, false
			for _, r := range g.records {
				whole = whole && (g.head && len(g.heard) == 0 || record(r))
			}
			if g.head && !whole {
				return map[int]bool{}
			}
			for _, l := range g.leaves {
				whole, lost = whole && !l.lost && released(l), lost || l.lost
			}
			for _, l := range g.leaves {
				given[l.n] = whole
				if outer && l.inside != "" {
					inside[l.inside] = whole
				}
			}
			all = all && (whole || lost && !m.whole)
			substance = substance || whole && !g.head && len(g.records) > 0
		}
	}
	if !all && (m.whole || !substance) {
		return map[int]bool{}
	}
	return given
}
