package conformance_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// probeDoor finds one record by what another holds, or by a part of it: it is found only when both are given.
type probeDoor struct {
	name string
	ask  func(b *bypass, s int) inquiry
	// finds names the class that comes when there is a match, needs the class by which it is found, and part
	// the part of it that holds what is asked by: -1 when it is the whole.
	finds, needs string
	part         int
}

var probeDoors = []probeDoor{
	{name: "chain", finds: "oppgave", needs: "hemmelig", part: -1, ask: func(b *bypass, s int) inquiry {
		return asGet("/fhir/Task?patient=" + b.persons[s].patient + "&focus:CarePlan.status=active&identifier=" + url.QueryEscape(ownSystem+"|"))
	}},
	{name: "chain", finds: "liste", needs: "psykisk", part: -1, ask: func(b *bypass, s int) inquiry {
		return asGet("/fhir/List?patient=" + b.persons[s].patient + "&item:Condition.code=F32")
	}},
	{name: "search by a part", finds: "plan", needs: "plan", part: 0, ask: func(b *bypass, s int) inquiry {
		return asGet("/fhir/CarePlan?patient=" + b.persons[s].patient + "&activity-code=" + url.QueryEscape(ownSystem+"|") + markOf(s, classNamed("plan")) + "q0")
	}},
	{name: "search by a part", finds: "plan", needs: "plan", part: 1, ask: func(b *bypass, s int) inquiry {
		return asGet("/fhir/CarePlan?patient=" + b.persons[s].patient + "&activity-code=" + url.QueryEscape(ownSystem+"|") + markOf(s, classNamed("plan")) + "q1")
	}},
	{name: "search by a part, of all persons", finds: "plan", needs: "plan", part: 0, ask: func(b *bypass, s int) inquiry {
		return asGet("/fhir/CarePlan?activity-code=" + url.QueryEscape(ownSystem+"|") + markOf(s, classNamed("plan")) + "q0")
	}},
	{name: "search by a component", finds: "måling", needs: "måling", part: 0, ask: func(b *bypass, s int) inquiry {
		return asGet("/fhir/Observation?patient=" + b.persons[s].patient + "&component-code=8480-6")
	}},
	{name: "search by a component", finds: "måling", needs: "måling", part: 1, ask: func(b *bypass, s int) inquiry {
		return asGet("/fhir/Observation?patient=" + b.persons[s].patient + "&component-code=8462-4")
	}},
	{name: "_has", finds: "pasient", needs: "psykisk", part: -1, ask: func(b *bypass, s int) inquiry {
		return asGet("/fhir/Patient?_id=" + patientID(b, s) + "&_has:Condition:patient:code=F32")
	}},
	{name: "_has", finds: "pasient", needs: "plan", part: 0, ask: func(b *bypass, s int) inquiry {
		return asGet("/fhir/Patient?_id=" + patientID(b, s) + "&_has:CarePlan:patient:activity-code=" + url.QueryEscape(ownSystem+"|") + markOf(s, classNamed("plan")) + "q0")
	}},
	{name: "_has", finds: "hemmelig", needs: "oppgave", part: -1, ask: func(b *bypass, s int) inquiry {
		return asGet("/fhir/CarePlan?patient=" + b.persons[s].patient + "&_has:Task:focus:status=requested")
	}},
	{name: "_has", finds: "plan", needs: "liste", part: -1, ask: func(b *bypass, s int) inquiry {
		return asGet("/fhir/CarePlan?patient=" + b.persons[s].patient + "&_has:List:item:status=current")
	}},
	{name: "batch, _has", finds: "pasient", needs: "medisin", part: -1, ask: func(b *bypass, s int) inquiry {
		return fhirBody(http.MethodPost, "/fhir", `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Patient?_id=`+patientID(b, s)+`&_has:MedicationStatement:patient:status=active"}}]}`)
	}},
}

// probeBy asks by a door that finds one record by another.
func (b *bypass) probeBy(d probeDoor, who bypasser, s int) {
	if !b.chosen(d.name, false, who.name, s, 0) {
		return
	}
	q := d.ask(b, s)
	q.door, q.who, q.s = d.name, who, s
	a := b.sendIt(q)
	found := b.nothingMore(q, a, false)
	c := classNamed(d.finds)
	what, by := b.verdictOf(q, s, c), b.verdictOf(q, s, classNamed(d.needs))
	want := what.shown && by.shown && (d.part < 0 || strings.Contains(by.parts, string(rune('0'+d.part))))
	b.count(d.name, want)
	got := found[[2]int{s, c}]["w"] || found[[2]int{s, c}]["id"]
	switch {
	case got && !want:
		b.fault(q, c, "FOUND by what is withheld", a)
	case !got && want && demands(who, false):
		b.fault(q, c, "REFUSED what is given", a)
	}
}

var idsNamed = regexp.MustCompile(`80001001-zk(\d\d)(\d\d)`)

// mostOf is who sees most at the same party.
func mostOf(who bypasser) bypasser {
	switch who.persona {
	case "ous-tsb":
		return bypassers[1]
	case "legevakt":
		return bypassers[slices.IndexFunc(bypassers, func(b bypasser) bool { return b.name == "nødrett" })]
	}
	return who
}

// askLedger asks what is told of accesses and of sources: nobody learns there of a record that it does not see.
func (b *bypass) askLedger(who bypasser, s int) {
	if !b.chosen("AuditEvent and Provenance", false, who.name, s, 0) {
		return
	}
	p := b.persons[s].patient
	list := []inquiry{asGet("/fhir/AuditEvent?patient=" + p + "&_count=100"), asGet("/fhir/Provenance?patient=" + p), asGet("/fhir/Provenance?target=" + b.refOf(s, classNamed("plan")))}
	for c := range recordClasses {
		list = append(list, asGet("/fhir/AuditEvent?entity="+b.refOf(s, c)+"&_count=100"))
	}
	for n, q := range list {
		q.door, q.who, q.s = "AuditEvent and Provenance", who, s
		a := b.sendIt(q)
		found := b.nothingMore(q, a, false)
		if c := classNamed("herkomst"); n == 1 || n == 2 {
			b.cell(q, a, c, found, demands(who, false) && n == 2)
		} else if n > 2 {
			b.count(q.door, b.verdictOf(q, s, n-3).shown)
		}
		if who.name == asCustodian || who.name == "pasienten" || who.persona == "personvern" {
			continue
		}
		said := idsNamed.FindAllString(q.path, -1)
		for _, m := range idsNamed.FindAllStringSubmatch(string(a.body), -1) {
			if slices.Contains(said, m[0]) {
				continue
			}
			// The ledger tells a party what its persons were told, whoever of them asks.
			party := q
			party.who = mostOf(who)
			at := [2]int{int(m[1][0]-'0')*10 + int(m[1][1]-'0'), int(m[2][0]-'0')*10 + int(m[2][1]-'0')}
			if !b.verdictOf(party, at[0], at[1]).shown {
				b.fault(q, at[1], "NAMES what is hidden: "+m[0], a)
			}
		}
	}
}
