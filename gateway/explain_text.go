package gateway

import (
	"slices"
	"strings"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// Language is a language in which the structure of an explanation is put into words. The zero value is
// bokmål.
type Language string

// The languages.
const (
	Bokmal  Language = "nb"
	Nynorsk Language = "nn"
	English Language = "en"
)

// phrase is one sentence, or part of one, in bokmål, nynorsk and English. {0} {1} {2} are filled in.
type phrase [3]string

// in gives the phrase with its places filled.
func (p phrase) in(lang Language, args ...string) string {
	s := p[0]
	switch lang {
	case Nynorsk:
		s = p[1]
	case English:
		s = p[2]
	}
	for i, arg := range args {
		s = strings.ReplaceAll(s, "{"+string(rune('0'+i))+"}", arg)
	}
	return s
}

// phrases of an explanation.
var phrases = map[string]phrase{
	"released":     {"Opplysningen kan utleveres til {0}.", "Opplysninga kan utleverast til {0}.", "The record may be released to {0}."},
	"withheld":     {"Opplysningen holdes tilbake fra {0}.", "Opplysninga blir halden tilbake frå {0}.", "The record is withheld from {0}."},
	"was-released": {"Opplysningen kunne utleveres til {0} da.", "Opplysninga kunne utleverast til {0} då.", "The record could be released to {0} then."},
	"was-withheld": {"Opplysningen ble holdt tilbake fra {0} da.", "Opplysninga vart halden tilbake frå {0} då.", "The record was withheld from {0} then."},
	"counts":       {"{0} av {1} opplysninger kan utleveres til {2}.", "{0} av {1} opplysningar kan utleverast til {2}.", "{0} of {1} records may be released to {2}."},
	"own-view":     {"Viser egne opplysninger, det som er delt, og samtykkene som nevner mottakeren.", "Viser eigne opplysningar, det som er delt, og samtykka som nemner mottakaren.", "Shows own records, what is shared, and the consents that name the receiver."},
	"parts":        {"Deler av den holdes tilbake ({0}).", "Delar av henne blir haldne tilbake ({0}).", "Parts of it are withheld ({0})."},
	"other-rules":  {"Reglene er endret siden; dette er forklart etter reglene slik de er nå.", "Reglane er endra sidan; dette er forklart etter reglane slik dei er no.", "The rules have changed since; this is explained by the rules as they are now."},

	"basis." + string(GroundOwn):       {"egen opplysning", "eiga opplysning", "its own record"},
	"basis." + string(GroundFetched):   {"alt mottatt i melding og del av egen journal (hpl. §§ 39–40)", "alt motteken i melding og del av eigen journal (hpl. §§ 39–40)", "received by message and part of its own journal (hpl. §§ 39–40)"},
	"basis." + string(GroundConsent):   {"alle kategoriene er dekket", "alle kategoriane er dekte", "every category is covered"},
	"basis." + string(GroundUncovered): {"ikke dekket: {0}", "ikkje dekt: {0}", "not covered: {0}"},
	"basis." + string(GroundNever):     {"opplysninger av denne typen deles ikke på tvers", "opplysningar av denne typen blir ikkje delte på tvers", "records of this type never cross"},
	"basis." + string(GroundNamed):     {"den gjelder mottakeren selv", "ho gjeld mottakaren sjølv", "it is about the receiver itself"},
	"basis." + string(GroundEmergency): {"nødrett (hpl. § 7, § 23 nr. 4)", "naudrett (hpl. § 7, § 23 nr. 4)", "emergency access (hpl. § 7, § 23 no. 4)"},
	"basis." + string(GroundNobody):    {"opplysningen er ikke knyttet til en person", "opplysninga er ikkje knytt til ein person", "the record is not tied to a person"},

	"miss." + string(MissRecipient):   {"mottakeren er en annen", "mottakaren er ein annan", "it is given to another recipient"},
	"miss." + string(MissRole):        {"rollen er en annen", "rolla er ei anna", "it is given to another role"},
	"miss." + string(MissPurpose):     {"formålet er et annet", "føremålet er eit anna", "it is given for another purpose"},
	"miss." + string(MissAction):      {"det er ikke gitt for denne bruken", "det er ikkje gitt for denne bruken", "it is not given for this use"},
	"miss." + string(MissNotBegun):    {"perioden har ikke begynt ({0})", "perioden har ikkje byrja ({0})", "its period has not begun ({0})"},
	"miss." + string(MissEnded):       {"perioden er over ({0})", "perioden er over ({0})", "its period is over ({0})"},
	"miss." + string(MissUnconfirmed): {"det er ikke bekreftet av den som har opplysningene, eller av pasienten", "det er ikkje stadfesta av den som har opplysningane, eller av pasienten", "neither the custodian nor the patient has confirmed it"},
	"miss." + string(MissCustodian):   {"det gjelder opplysninger hos en annen", "det gjeld opplysningar hos ein annan", "it is about records of another custodian"},
	"miss." + string(MissType):        {"det gjelder andre typer opplysninger", "det gjeld andre typar opplysningar", "it is about other types of records"},
	"miss." + string(MissItem):        {"det gjelder andre enkeltopplysninger", "det gjeld andre enkeltopplysningar", "it is about other single records"},
	"miss." + string(MissDate):        {"opplysningen er fra en annen tid", "opplysninga er frå ei anna tid", "the record is of another time"},
	"miss." + string(MissLabel):       {"det omfatter ingen av kategoriene i opplysningen", "det omfattar ingen av kategoriane i opplysninga", "it holds none of the categories of the record"},

	"not":    {"Gjelder ikke: {0}.", "Gjeld ikkje: {0}.", "Does not apply: {0}."},
	"covers": {"Dekker {0} ({1}).", "Dekkjer {0} ({1}).", "Covers {0} ({1})."},
	"names":  {"Omfatter {0} ({1}).", "Omfattar {0} ({1}).", "Names {0} ({1})."},
	"denies": {"Holder tilbake {0} ({1}).", "Held tilbake {0} ({1}).", "Withholds {0} ({1})."},
	"loses":  {"Omfatter {0}, men taper {1} til {2}.", "Omfattar {0}, men taper {1} til {2}.", "Names {0}, but loses {1} to {2}."},

	"remedy.new":                        {"Pasienten kan samtykke til at {0} deles med mottakeren.", "Pasienten kan samtykkje til at {0} blir delt med mottakaren.", "The patient can consent to {0} being shared with the receiver."},
	"remedy.denied":                     {"Forbudet må trekkes eller begrenses. Det kan bare pasienten gjøre.", "Forbodet må trekkjast eller avgrensast. Det kan berre pasienten gjere.", "The refusal must be withdrawn or narrowed. Only the patient can do that."},
	"remedy." + string(MissRecipient):   {"Pasienten kan la samtykket gjelde mottakeren også.", "Pasienten kan la samtykket gjelde mottakaren òg.", "The patient can let the consent name the receiver too."},
	"remedy." + string(MissRole):        {"Den som spør, må ha rollen samtykket er gitt til; eller pasienten utvider det.", "Den som spør, må ha rolla samtykket er gitt til; eller pasienten utvidar det.", "Whoever asks must have the role that the consent is given to; or the patient widens it."},
	"remedy." + string(MissPurpose):     {"Den som spør, må ha formålet samtykket er gitt for; eller pasienten utvider det.", "Den som spør, må ha føremålet samtykket er gitt for; eller pasienten utvidar det.", "Whoever asks must have the purpose that the consent is given for; or the patient widens it."},
	"remedy." + string(MissAction):      {"Pasienten kan la samtykket gjelde denne bruken også.", "Pasienten kan la samtykket gjelde denne bruken òg.", "The patient can let the consent hold for this use too."},
	"remedy." + string(MissNotBegun):    {"Samtykket gjelder fra {0}.", "Samtykket gjeld frå {0}.", "The consent holds from {0}."},
	"remedy." + string(MissEnded):       {"Pasienten kan fornye samtykket.", "Pasienten kan fornye samtykket.", "The patient can renew the consent."},
	"remedy." + string(MissUnconfirmed): {"Den som har opplysningene, eller pasienten, kan bekrefte samtykket (Consent/$confirm).", "Den som har opplysningane, eller pasienten, kan stadfeste samtykket (Consent/$confirm).", "The custodian or the patient can confirm the consent (Consent/$confirm)."},
	"remedy." + string(MissCustodian):   {"Pasienten kan la samtykket gjelde opplysningene her også.", "Pasienten kan la samtykket gjelde opplysningane her òg.", "The patient can let the consent hold for the records here too."},
	"remedy." + string(MissType):        {"Pasienten kan la samtykket gjelde denne typen også.", "Pasienten kan la samtykket gjelde denne typen òg.", "The patient can let the consent hold for this type too."},
	"remedy." + string(MissItem):        {"Pasienten kan la samtykket gjelde denne opplysningen også.", "Pasienten kan la samtykket gjelde denne opplysninga òg.", "The patient can let the consent hold for this record too."},
	"remedy." + string(MissDate):        {"Pasienten kan la samtykket gjelde opplysninger fra denne tiden også.", "Pasienten kan la samtykket gjelde opplysningar frå denne tida òg.", "The patient can let the consent hold for records of this time too."},
	"remedy." + string(MissLabel):       {"Pasienten kan la samtykket omfatte {0} også.", "Pasienten kan la samtykket omfatte {0} òg.", "The patient can let the consent hold {0} too."},

	"simulated": {"Utkastet nevner {0} mottakere. Av {1} opplysninger utleveres {2} som ikke utleveres til dem nå.", "Utkastet nemner {0} mottakarar. Av {1} opplysningar blir {2} utleverte som ikkje blir utleverte til dei no.", "The draft names {0} recipients. Of {1} records {2} are released that are not released to them now."},
	"gains":     {"{0} får {1} av {2} opplysninger; {3} av dem får de ikke nå.", "{0} får {1} av {2} opplysningar; {3} av dei får dei ikkje no.", "{0} gets {1} of {2} records; {3} of them it does not get now."},
}

// labelNames are the names of the labels, as they stand in a sentence.
var labelNames = map[Labels]phrase{
	Demografi: {"demografi", "demografi", "demographics"}, Samarbeid: {"samarbeid", "samarbeid", "collaboration"},
	Rus: {"rus", "rus", "substance use"}, Psykisk: {"psykisk helse", "psykisk helse", "mental health"},
	Somatisk: {"somatisk helse", "somatisk helse", "somatic health"}, Legemidler: {"legemidler", "legemiddel", "medicines"},
	Plan: {"plan", "plan", "plan"}, Kriseplan: {"kriseplan", "kriseplan", "crisis plan"},
	Henvisning: {"henvisning", "tilvising", "referral"}, Kartlegging: {"kartlegging", "kartlegging", "assessment"},
	Bolig: {"bolig", "bustad", "housing"}, Okonomi: {"økonomi", "økonomi", "finances"}, Arbeid: {"arbeid", "arbeid", "work"},
	Familie: {"familie", "familie", "family"}, Barn: {"barn", "barn", "children"}, Nettverk: {"nettverk", "nettverk", "network"},
	Voldsutsatt: {"voldsutsatt", "valdsutsett", "exposure to violence"}, Voldsrisiko: {"voldsrisiko", "valdsrisiko", "risk of violence"},
	Livskvalitet: {"livskvalitet", "livskvalitet", "quality of life"}, Tvang: {"tvang", "tvang", "coercion"},
	SeksuellHelse: {"seksuell helse", "seksuell helse", "sexual health"}, Migrasjon: {"migrasjon", "migrasjon", "migration"},
	Kriminalitet: {"kriminalitet", "kriminalitet", "crime"}, Parorende: {"pårørende", "pårørande", "next of kin"},
	Logistikk: {"logistikk", "logistikk", "logistics"}, Funksjon: {"funksjon", "funksjon", "functioning"},
	Tjenester: {"tjenester", "tenester", "services"}, Rusprover: {"rusprøver", "rusprøver", "drug tests"},
	Tolk: {"tolk", "tolk", "interpreter"}, Tannhelse: {"tannhelse", "tannhelse", "dental health"},
	Smitte: {"smitte", "smitte", "infection"}, Uklassifisert: {"uklassifisert", "uklassifisert", "unclassified"},
}

// everything stands for all labels together.
var everythingNamed = phrase{"alle kategorier", "alle kategoriar", "every category"}

// namesOf lists labels in a sentence.
func (l Labels) namesOf(lang Language) string {
	if l == AllLabels || l == AllLabels&^Uklassifisert {
		return everythingNamed.in(lang)
	}
	var names []string
	for one := Labels(1); one < labelEnd; one <<= 1 {
		if l&one != 0 {
			names = append(names, labelNames[one].in(lang))
		}
	}
	return strings.Join(names, ", ")
}

// Text tells how the provision fared, of a question about a record or about all.
func (w *Weighed) Text(lang Language, record bool) string {
	switch {
	case !w.Weighs():
		var why []string
		for _, m := range w.Misses {
			why = append(why, phrases["miss."+string(m)].in(lang, w.boundary(m)))
		}
		return phrases["not"].in(lang, strings.Join(why, "; "))
	case w.Effect == Deny:
		return phrases["denies"].in(lang, w.Labels.namesOf(lang), w.Citation.Paragraph)
	case w.Lost != 0:
		return phrases["loses"].in(lang, w.Labels.namesOf(lang), w.Lost.namesOf(lang), provisionList(w.To))
	case !record:
		return phrases["names"].in(lang, w.Labels.namesOf(lang), w.Citation.Paragraph)
	}
	return phrases["covers"].in(lang, w.Labels.namesOf(lang), w.Citation.Paragraph)
}

// boundary is the day that a miss in time is about.
func (w *Weighed) boundary(m Miss) string {
	switch m {
	case MissNotBegun:
		return dayOf(w.Start)
	case MissEnded:
		return dayOf(w.End.Add(-1))
	}
	return ""
}

// dayOf is a date as it is read in Norway, in the form of ISO 8601.
func dayOf(t time.Time) string { return t.In(fhir.Oslo()).Format(time.DateOnly) }

// provisionList lists provisions in a sentence, each once.
func provisionList(list []Citation) string {
	var out []string
	for _, c := range list {
		s := c.Consent.String() + " " + c.Path
		if c.Paragraph != "" {
			s += " (" + c.Paragraph + ")"
		}
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return strings.Join(out, "; ")
}

// Text tells what would have to change, and by whom.
func (r Remedy) Text(lang Language, start time.Time) string {
	switch {
	case r.Denied:
		return phrases["remedy.denied"].in(lang)
	case r.Miss == "":
		return phrases["remedy.new"].in(lang, r.Labels.namesOf(lang))
	case r.Miss == MissNotBegun:
		return phrases["remedy."+string(r.Miss)].in(lang, dayOf(start))
	}
	return phrases["remedy."+string(r.Miss)].in(lang, r.Labels.namesOf(lang))
}
