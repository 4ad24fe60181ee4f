package definitions

import (
	"embed"
	"encoding/json"
	"io/fs"
	"strings"
	"sync"
)

//go:embed own/*.json own/example/*.json
var own embed.FS

// Own gives the files of Sluse's own definitions, one FHIR resource each, named
// "CodeSystem-feil.json".
func Own() fs.FS {
	sub, err := fs.Sub(own, "own")
	if err != nil {
		panic("definitions: " + err.Error()) // the folder is embedded: cannot occur
	}
	return sub
}

// Examples gives one valid instance or more of each of our profiles, named "CarePlan-kriseplan.json".
// The persons in them do not exist.
func Examples() fs.FS {
	sub, err := fs.Sub(own, "own/example")
	if err != nil {
		panic("definitions: " + err.Error()) // the folder is embedded: cannot occur
	}
	return sub
}

// Concept is one code of a code system with its texts.
type Concept struct {
	Code, Display, Definition string
}

// The code systems of Sluse's own.
const (
	SystemLabel      = "http://sluse.no/fhir/CodeSystem/informasjonskategori"
	SystemLegalBasis = "http://sluse.no/fhir/CodeSystem/rettsgrunnlag"
	SystemError      = "http://sluse.no/fhir/CodeSystem/feil"
)

// codeSystems reads every own CodeSystem once.
var codeSystems = sync.OnceValue(func() map[string][]Concept {
	all := map[string][]Concept{}
	names, err := fs.Glob(own, "own/CodeSystem-*.json")
	if err != nil {
		panic("definitions: " + err.Error())
	}
	for _, name := range names {
		body, err := own.ReadFile(name)
		if err != nil {
			panic("definitions: " + err.Error())
		}
		var system struct {
			URL     string
			Concept []Concept
		}
		if err := json.Unmarshal(body, &system); err != nil {
			panic("definitions: " + name + ": " + err.Error())
		}
		all[system.URL] = system.Concept
	}
	return all
})

// CodeSystem gives the concepts of an own code system in their order, nil when there is none
// of that URL. In informasjonskategori the position is the bit of the label.
func CodeSystem(url string) []Concept { return codeSystems()[url] }

// Codes gives the codes of an own code system in their order.
func Codes(url string) []string {
	var codes []string
	for _, c := range codeSystems()[url] {
		codes = append(codes, strings.Clone(c.Code))
	}
	return codes
}
