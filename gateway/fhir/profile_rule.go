package fhir

import "strings"

const (
	systemPlan     = "http://sluse.no/fhir/CodeSystem/plantype"
	systemDocument = "urn:oid:2.16.578.1.12.4.1.1.9602" // Volven 9602, dokumenttype
	zoneExtension  = "http://sluse.no/fhir/StructureDefinition/sone"
	participation  = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
)

// profileRules are the invariants of our own profiles. Their StructureDefinitions carry the same
// keys with an expression for other validators; here they run as Go.
var profileRules = []rule{
	{"sluse-samtykke-1", text{"Et aktivt samtykke sier hvilke opplysninger: hver tillatelse har securityLabel eller data.", "An active consent says which information: each permit has securityLabel or data."}, permitsHave(func(p *Value) bool {
		return has(p, "securityLabel") || has(p, "data")
	})},
	{"sluse-samtykke-2", text{"Et aktivt samtykke sier til hvem: hver tillatelse har en mottaker (actor med rollen IRCP).", "An active consent says to whom: each permit has a recipient (actor in the role IRCP)."}, permitsHave(func(p *Value) bool {
		for _, a := range p.Get("actor").Items() {
			if coded(a.Get("role"), participation, "IRCP") {
				return true
			}
		}
		return false
	})},
	{"sluse-samtykke-3", text{"Et aktivt samtykke sier hvor lenge: hver tillatelse har period.end.", "An active consent says for how long: each permit has period.end."}, permitsHave(func(p *Value) bool { return has(p.Get("period"), "end") })},
	{"sluse-samtykke-4", text{"En nøstet bestemmelse er av motsatt type av den den står i.", "A nested provision is of the opposite type of the one it stands in."}, func(v *Value, _ *checker) bool {
		return alternates(v.Get("provision"))
	}},
	{"sluse-plan-1", text{"En aktiv kriseplan har minst ett tiltak i hver sone: grønn, gul og rød.", "An active crisis plan has at least one activity in each zone: green, yellow and red."}, func(v *Value, _ *checker) bool {
		if !codeIs(v, "status", "active") || !crisisPlan(v) {
			return true
		}
		seen := map[string]bool{}
		for _, a := range v.Get("activity").Items() {
			seen[zoneOf(a)] = true
		}
		return seen["gronn"] && seen["gul"] && seen["rod"]
	}},
	{"sluse-plan-2", text{"Et tiltak med sone sier hva som er tegnet (detail.reasonCode) og hva som skal gjøres (detail.description).", "An activity with a zone says what the sign is (detail.reasonCode) and what is to be done (detail.description)."}, func(v *Value, _ *checker) bool {
		return zoneOf(v) == "" || has(v.Get("detail"), "reasonCode") && has(v.Get("detail"), "description")
	}},
	{"sluse-plan-3", text{"En aktiv individuell plan sier hvem som deltar (careTeam) og hvem som samordner (author).", "An active individual plan says who takes part (careTeam) and who coordinates (author)."}, func(v *Value, _ *checker) bool {
		return !codeIs(v, "status", "active") || !planIs(v, "individuell-plan", "A02-2") || has(v, "careTeam") && has(v, "author")
	}},
	{"sluse-henvisning-1", text{"En henvisning sier hvorfor: reasonCode eller reasonReference.", "A referral says why: reasonCode or reasonReference."}, func(v *Value, _ *checker) bool {
		return has(v, "reasonCode") || has(v, "reasonReference")
	}},
	{"sluse-skjema-1", text{"Et utfylt skjema har tidspunkt (authored) og forfatter (author).", "A completed form has a time (authored) and an author."}, func(v *Value, _ *checker) bool {
		return !codeIs(v, "status", "completed", "amended") || has(v, "authored") && has(v, "author")
	}},
	{"sluse-oppgave-1", text{"En oppgave som er avvist, avlyst, satt på vent eller mislykket, sier hvorfor (statusReason).", "A task that is rejected, cancelled, on hold or failed says why (statusReason)."}, func(v *Value, _ *checker) bool {
		return !codeIs(v, "status", "rejected", "cancelled", "on-hold", "failed") || has(v, "statusReason")
	}},
	{"sluse-melding-1", text{"En melding som er stanset eller ikke sendt, sier hvorfor (statusReason).", "A message that is stopped or not done says why (statusReason)."}, func(v *Value, _ *checker) bool {
		return !codeIs(v, "status", "stopped", "not-done", "on-hold") || has(v, "statusReason")
	}},
	{"sluse-team-1", text{"Ansvarsgruppen har minst én deltaker som ikke er pasienten selv.", "The care team has at least one participant other than the patient."}, func(v *Value, _ *checker) bool {
		for _, p := range v.Get("participant").Items() {
			if !strings.HasPrefix(p.Get("member", "reference").Text(), "Patient/") {
				return true
			}
		}
		return false
	}},
	{"sluse-logg-1", text{"Fødselsnummer og D-nummer står ikke i en logg.", "No fødselsnummer or D-nummer stands in an audit event."}, func(v *Value, _ *checker) bool { return !holdsNIN(v) }},
	{"sluse-logg-2", text{"Et avslag sier hvorfor (outcomeDesc).", "A refusal says why (outcomeDesc)."}, func(v *Value, _ *checker) bool {
		return codeIs(v, "outcome", "0") || has(v, "outcomeDesc")
	}},
	{"sluse-nummer-1", text{"Et nummer har den formen, datoen og de kontrollsifrene som systemet krever.", "A number has the form, date and check digits that its system asks for."}, nil},
	{"sluse-adresse-1", text{"Et norsk postnummer har fire siffer.", "A Norwegian postal code has four digits."}, func(v *Value, _ *checker) bool {
		code, country := v.Get("postalCode").Text(), v.Get("country").Text()
		return code == "" || country != "" && country != "NO" && country != "NOR" && country != "Norge" || len(code) == 4 && allDigits(code)
	}},
	{"sluse-kommune-1", text{"Et kommunenummer har fire siffer.", "A municipality number has four digits."}, func(v *Value, _ *checker) bool {
		code := v.Get("code").Text()
		return len(code) == 4 && allDigits(code)
	}},
	{"sluse-bydel-1", text{"Et bydelsnummer har seks siffer: kommunenummeret og bydelens to.", "An urban district number has six digits: those of the municipality and two of the district."}, func(v *Value, _ *checker) bool {
		code := v.Get("code").Text()
		return len(code) == 6 && allDigits(code)
	}},
}

// finders are the invariants that give findings of their own, each with its place and code.
var finders = map[string]func(*Value, *checker){
	"sluse-nummer-1": func(v *Value, c *checker) {
		before := len(c.issues)
		c.identifier(v, SeverityError)
		if !c.thorough || len(c.issues) == before {
			return
		}
		// Check has warned of the same number already.
		found := c.issues[before]
		for n := range before {
			if known := &c.issues[n]; known.Code == found.Code && known.Expression == found.Expression {
				known.Severity = SeverityError
				c.issues = c.issues[:before]
				return
			}
		}
	},
}

// permitsHave is whether each permit of an active Consent says something, itself or by a
// provision that it stands in, whose intersection it is.
func permitsHave(said func(*Value) bool) func(*Value, *checker) bool {
	var every func(p *Value, inherited bool) bool
	every = func(p *Value, inherited bool) bool {
		inherited = inherited || said(p)
		if codeIs(p, "type", "permit") && !inherited {
			return false
		}
		for _, nested := range p.Get("provision").Items() {
			if !every(nested, inherited) {
				return false
			}
		}
		return true
	}
	return func(v *Value, _ *checker) bool {
		p := v.Get("provision")
		return p.Kind() != Object || !codeIs(v, "status", "active") || every(p, false)
	}
}

// alternates is whether no provision below p is of the type of the one it stands in.
func alternates(p *Value) bool {
	for _, nested := range p.Get("provision").Items() {
		if nested.Get("type").Text() == p.Get("type").Text() || !alternates(nested) {
			return false
		}
	}
	return true
}

// zoneOf gives the zone of an activity of a kriseplan, "" when it has none.
func zoneOf(activity *Value) string {
	for _, e := range activity.Get("extension").Items() {
		if e.Get("url").Text() == zoneExtension {
			return e.Get("valueCoding", "code").Text()
		}
	}
	return ""
}

func crisisPlan(v *Value) bool { return planIs(v, "kriseplan", "A01-2") }

// planIs is whether a category of a plan is a code of ours or of Volven 9602.
func planIs(v *Value, own, volven string) bool {
	for _, c := range v.Get("category").Items() {
		if coded(c, systemPlan, own) || coded(c, systemDocument, volven) {
			return true
		}
	}
	return false
}
