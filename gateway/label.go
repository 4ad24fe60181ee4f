package gateway

import "math/bits"

// Labels is a set of informasjonskategorier: bit i is the code at position i of CodeSystem
// http://sluse.no/fhir/CodeSystem/informasjonskategori. The list only grows at its end.
type Labels uint64

// LabelSystem is the CodeSystem of the labels.
const LabelSystem = "http://sluse.no/fhir/CodeSystem/informasjonskategori"

// The labels in the order of the CodeSystem.
const (
	Demografi Labels = 1 << iota
	Samarbeid
	Rus
	Psykisk
	Somatisk
	Legemidler
	Plan
	Kriseplan
	Henvisning
	Kartlegging
	Bolig
	Okonomi
	Arbeid
	Familie
	Barn
	Nettverk
	Voldsutsatt
	Voldsrisiko
	Livskvalitet
	Tvang
	SeksuellHelse
	Migrasjon
	Kriminalitet
	Parorende
	Logistikk
	Funksjon
	Tjenester
	Rusprover
	Tolk
	Tannhelse
	Smitte
	Uklassifisert
	labelEnd
)

// AllLabels holds every label there is.
const AllLabels = labelEnd - 1

var labelCodes = [...]string{
	"demografi", "samarbeid", "rus", "psykisk", "somatisk", "legemidler", "plan", "kriseplan",
	"henvisning", "kartlegging", "bolig", "okonomi", "arbeid", "familie", "barn", "nettverk",
	"voldsutsatt", "voldsrisiko", "livskvalitet", "tvang", "seksuell-helse", "migrasjon",
	"kriminalitet", "parorende", "logistikk", "funksjon", "tjenester", "rusprover", "tolk",
	"tannhelse", "smitte", "uklassifisert",
}

// LabelOf gives the set with the one label of that code.
func LabelOf(code string) (Labels, bool) {
	for i, c := range labelCodes {
		if c == code {
			return 1 << i, true
		}
	}
	return 0, false
}

// Codes lists the labels of the set in the order of the CodeSystem.
func (l Labels) Codes() []string {
	codes := make([]string, 0, bits.OnesCount64(uint64(l)))
	for i, c := range labelCodes {
		if l&(1<<i) != 0 {
			codes = append(codes, c)
		}
	}
	return codes
}

// Within tells whether the set is not empty and c holds all of it: the only test by which a
// record or a part may leave. An empty set is a fault, never a pass.
func (l Labels) Within(c Labels) bool { return l != 0 && l&^c == 0 }

// Part is a piece of a record with labels of its own: an activity of a CarePlan, an item of a
// QuestionnaireResponse, a component of an Observation, a contained resource.
type Part struct {
	Path   string // where, as fhir.Resource.At reads it: "CarePlan.activity[2]"
	Labels Labels
}
