package conformance_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// absentID names nothing.
const absentID = "80001001-zk9999"

// oneDoor asks about one record. hidden asks the same about nothing.
type oneDoor struct {
	name      string
	always    bool // the doors that matter most: more of their cells are asked by make test
	emergency bool // emergency access reads by it
	bodies    bool // the body is that of what there is not, too
	past      bool // versions of before are told
	before    bool // it asks for one of them
	status    bool // the body tells nothing: a status does
	kinds     func(kind string) bool
	ask       func(b *bypass, s, c int, ref string) inquiry
}

func anyKind(string) bool { return true }

// versioned kinds have versions and histories.
func versioned(kind string) bool { return kind != "Provenance" }

// identified kinds have an identifier that they are searched by.
func identified(kind string) bool {
	return !slices.Contains([]string{"Patient", "Binary", "Provenance"}, kind)
}

func asGet(path string) inquiry { return inquiry{method: http.MethodGet, path: path} }

// identifierOf is how a record is asked for by its identifier; of nothing when it is not there.
func identifierOf(s, c int, ref string) string {
	mark := markOf(s, c) + "w"
	if strings.HasSuffix(ref, absentID) {
		mark = "zk9999w"
	}
	return url.QueryEscape(ownSystem + "|" + mark)
}

var readDoors = []oneDoor{
	{name: "read", always: true, emergency: true, bodies: true, kinds: anyKind, ask: func(_ *bypass, _, _ int, ref string) inquiry { return asGet("/fhir/" + ref) }},
	{name: "read as XML", emergency: true, kinds: anyKind, ask: func(_ *bypass, _, _ int, ref string) inquiry {
		q := asGet("/fhir/" + ref)
		q.header = []string{"Accept", "application/fhir+xml"}
		return q
	}},
	{name: "head", emergency: true, bodies: true, status: true, kinds: anyKind, ask: func(_ *bypass, _, _ int, ref string) inquiry {
		return inquiry{method: http.MethodHead, path: "/fhir/" + ref}
	}},
	{name: "vread", kinds: versioned, bodies: true, ask: func(b *bypass, s, c int, ref string) inquiry {
		return asGet("/fhir/" + ref + "/_history/" + b.versions[s][c][1])
	}},
	{name: "vread of before", kinds: versioned, bodies: true, past: true, before: true, status: true, ask: func(b *bypass, s, c int, ref string) inquiry {
		return asGet("/fhir/" + ref + "/_history/" + b.versions[s][c][0])
	}},
	{name: "history of one", kinds: versioned, bodies: true, past: true, ask: func(_ *bypass, _, _ int, ref string) inquiry { return asGet("/fhir/" + ref + "/_history") }},
	{name: "$meta", kinds: versioned, bodies: true, status: true, ask: func(_ *bypass, _, _ int, ref string) inquiry { return asGet("/fhir/" + ref + "/$meta") }},
	{name: "batch entry", kinds: anyKind, ask: func(_ *bypass, _, _ int, ref string) inquiry {
		return inquiry{method: http.MethodPost, path: "/fhir", media: "application/fhir+json", body: `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"` + ref + `"}}]}`}
	}},
	{name: "transaction entry", kinds: anyKind, ask: func(_ *bypass, _, _ int, ref string) inquiry {
		return inquiry{method: http.MethodPost, path: "/fhir", media: "application/fhir+json", body: `{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"GET","url":"` + ref + `"}}]}`}
	}},
	{name: "search by id", emergency: false, kinds: anyKind, ask: func(_ *bypass, _, _ int, ref string) inquiry {
		kind, id, _ := strings.Cut(ref, "/")
		return asGet("/fhir/" + kind + "?_id=" + id)
	}},
}

// askOne asks by a door about one record and judges.
func (b *bypass) askOne(d oneDoor, who bypasser, s, c int) {
	kind := recordClasses[c].kind
	if !d.kinds(kind) || !b.chosen(d.name, d.always, who.name, s, c) {
		return
	}
	q := d.ask(b, s, c, b.refOf(s, c))
	q.door, q.who, q.s = d.name, who, s
	a := b.sendIt(q)
	found := b.nothingMore(q, a, d.past)
	want := b.verdictOf(q, s, c)
	if d.before && len(want.parts) < len(recordClasses[c].parts) { // it may hold the same words without the label (DESIGN § 3)
		want = verdict{}
	}
	demanded := demands(who, d.emergency)
	if d.status {
		if demanded && want.shown && a.status != http.StatusOK {
			b.fault(q, c, "REFUSED what is given", a)
		}
		b.count(d.name, want.shown)
	} else {
		b.cell(q, a, c, found, demanded)
	}
	if !want.shown && !b.toldOf(who, s, c) {
		absent := d.ask(b, s, c, kind+"/"+absentID)
		if kind == "Provenance" {
			absent = d.ask(b, s, c, kind+"/00000000-0000-4000-8000-000000000000")
		}
		b.likeAbsent(q, a, c, absent, d.bodies)
	}
}

// toldOf: she is told that a record of hers is withheld from her, and why.
func (b *bypass) toldOf(who bypasser, s, c int) bool {
	return who.name == "pasienten" && consentStates[s].withheld != "" && !seesHerself(consentStates[s], recordClasses[c]).shown
}

// aboutDoor asks about everything of a person.
type aboutDoor struct {
	name      string
	always    bool
	emergency bool
	past      bool
	leads     func(kind string) bool // nil: what comes is made of records, and need not show them
	asks      func(b *bypass, s int) []inquiry
}

// personParam is how a kind is searched by the person it is about.
func personParam(kind string) string {
	switch kind {
	case "Patient":
		return "_id"
	case "Group":
		return "member"
	}
	return "patient"
}

func (b *bypass) searchOf(kind string, s int) string {
	value := b.persons[s].patient
	if kind == "Patient" {
		_, value, _ = strings.Cut(value, "/")
	}
	return kind + "?" + personParam(kind) + "=" + value
}

// bypassKinds are the kinds of the records, each once.
func bypassKinds(keep func(kind string) bool) (kinds []string) {
	for _, c := range recordClasses {
		if !slices.Contains(kinds, c.kind) && keep(c.kind) {
			kinds = append(kinds, c.kind)
		}
	}
	return kinds
}

// aboutOne tells whether kinds are searched by patient.
func aboutOne(kind string) bool {
	return !slices.Contains([]string{"Patient", "Group", "Binary", "Provenance"}, kind)
}

// inCompartment: a Task is in no compartment of a Patient (R4 compartmentdefinition-patient).
func inCompartment(kind string) bool { return aboutOne(kind) && kind != "Task" }

// personal kinds are searched otherwise than by patient.
func personal(kind string) bool { return kind == "Patient" || kind == "Group" }

func searched(kind string) bool { return kind != "Binary" && kind != "Provenance" }

func eachKind(keep func(string) bool, ask func(b *bypass, s int, kind string) inquiry) func(b *bypass, s int) []inquiry {
	return func(b *bypass, s int) (list []inquiry) {
		for _, kind := range bypassKinds(keep) {
			list = append(list, ask(b, s, kind))
		}
		return list
	}
}

func inGroups(kinds []string, n int) (groups [][]string) {
	for part := range slices.Chunk(kinds, n) {
		groups = append(groups, part)
	}
	return groups
}

func patientID(b *bypass, s int) string {
	_, id, _ := strings.Cut(b.persons[s].patient, "/")
	return id
}

var setDoors = []aboutDoor{
	{name: "search of Patient and Group", leads: personal, asks: eachKind(personal, func(b *bypass, s int, kind string) inquiry {
		return asGet("/fhir/" + b.searchOf(kind, s) + "&_count=100")
	})},
	{name: "search by patient", emergency: true, leads: aboutOne, asks: eachKind(aboutOne, func(b *bypass, s int, kind string) inquiry {
		return asGet("/fhir/" + b.searchOf(kind, s) + "&_count=100")
	})},
	{name: "search by number, by POST", emergency: true, leads: aboutOne, asks: eachKind(aboutOne, func(b *bypass, s int, kind string) inquiry {
		return inquiry{method: http.MethodPost, path: "/fhir/" + kind + "/_search", media: "application/x-www-form-urlencoded",
			body: url.Values{"patient:identifier": {"urn:oid:2.16.578.1.12.4.1.4.1|" + b.persons[s].nin}, "_count": {"100"}}.Encode()}
	})},
	{name: "search, _summary and _elements", asks: func(b *bypass, s int) (list []inquiry) {
		for _, kind := range bypassKinds(searched) {
			for _, form := range []string{"_summary=true", "_summary=text", "_summary=data", "_elements=identifier,title,activity,component,item,section"} {
				list = append(list, asGet("/fhir/"+b.searchOf(kind, s)+"&"+form))
			}
		}
		return list
	}},
	{name: "search as XML", leads: searched, asks: eachKind(searched, func(b *bypass, s int, kind string) inquiry {
		q := asGet("/fhir/" + b.searchOf(kind, s) + "&_count=100")
		q.header = []string{"Accept", "application/fhir+xml"}
		return q
	})},
	{name: "compartment", always: true, leads: inCompartment, asks: func(b *bypass, s int) []inquiry {
		q := asGet("/fhir/" + b.persons[s].patient + "/*?_count=100")
		q.pages = 3
		return []inquiry{q}
	}},
	{name: "compartment, one type", leads: inCompartment, asks: eachKind(inCompartment, func(b *bypass, s int, kind string) inquiry {
		return asGet("/fhir/" + b.persons[s].patient + "/" + kind + "?_count=100")
	})},
	{name: "$everything", always: true, leads: func(kind string) bool { return aboutOne(kind) || kind == "Patient" }, asks: func(b *bypass, s int) []inquiry {
		q := asGet("/fhir/" + b.persons[s].patient + "/$everything?_count=100")
		q.pages = 3
		return []inquiry{q}
	}},
	{name: "_revinclude", leads: aboutOne, asks: func(b *bypass, s int) (list []inquiry) {
		for _, kinds := range inGroups(bypassKinds(aboutOne), 5) {
			q := asGet("/fhir/Patient?_id=" + patientID(b, s))
			for _, kind := range kinds {
				q.path += "&_revinclude=" + kind + ":patient"
			}
			list = append(list, q)
		}
		return list
	}},
	{name: "_include and :iterate", leads: func(kind string) bool { return kind == "List" || kind == "Task" }, asks: func(b *bypass, s int) []inquiry {
		p := b.persons[s].patient
		return []inquiry{
			asGet("/fhir/List?patient=" + p + "&_include=List:item&_include=List:patient&_revinclude:iterate=CarePlan:patient&_revinclude:iterate=Condition:patient"),
			asGet("/fhir/Task?patient=" + p + "&_include=Task:focus&_include:iterate=CarePlan:patient&_revinclude:iterate=Observation:patient"),
		}
	}},
	{name: "search of the system", leads: aboutOne, asks: func(b *bypass, s int) (list []inquiry) {
		for _, kinds := range inGroups(bypassKinds(aboutOne), 8) {
			list = append(list, asGet("/fhir?_type="+strings.Join(kinds, ",")+"&patient="+b.persons[s].patient+"&_count=100"))
		}
		return list
	}},
	{name: "batch of searches", leads: aboutOne, asks: func(b *bypass, s int) (list []inquiry) {
		var entries []string
		for _, kind := range bypassKinds(aboutOne) {
			entries = append(entries, `{"request":{"method":"GET","url":"`+b.searchOf(kind, s)+`&_count=100"}}`)
		}
		return []inquiry{{method: http.MethodPost, path: "/fhir", media: "application/fhir+json", body: `{"resourceType":"Bundle","type":"batch","entry":[` + strings.Join(entries, ",") + `]}`}}
	}},
	{name: "$document", asks: func(b *bypass, s int) []inquiry {
		return []inquiry{asGet("/fhir/" + b.refOf(s, classNamed("plan")) + "/$document"), asGet("/fhir/" + b.refOf(s, classNamed("hemmelig")) + "/$document")}
	}},
	{name: "$extract", asks: func(b *bypass, s int) []inquiry {
		return []inquiry{asGet("/fhir/" + b.refOf(s, classNamed("skjema")) + "/$extract")}
	}},
	{name: "$validate", asks: func(b *bypass, s int) (list []inquiry) {
		for c, one := range recordClasses {
			if one.kind != "Provenance" {
				list = append(list, inquiry{method: http.MethodPost, path: "/fhir/" + b.refOf(s, c) + "/$validate", media: "application/fhir+json", body: operands("mode", "delete")})
			}
		}
		return list
	}},
	{name: "$explain and $simulate", asks: func(b *bypass, s int) (list []inquiry) {
		for c := range recordClasses {
			list = append(list, asGet("/fhir/Consent/$explain?resource="+b.refOf(s, c)))
		}
		draft := b.consentBody(s, b.persons[s].patient, b.parties["bydel-sagene"], givenConsent{labels: everyLabel})
		return append(list, asGet("/fhir/Consent/$explain?patient="+b.persons[s].patient),
			inquiry{method: http.MethodPost, path: "/fhir/Consent/$simulate", media: "application/fhir+json", body: draft})
	}},
	{name: "Consent and $disclosures", asks: func(b *bypass, s int) []inquiry {
		list := []inquiry{asGet("/fhir/Consent?patient=" + b.persons[s].patient)}
		if c := b.persons[s].consent; c != "" {
			list = append(list, asGet("/fhir/"+c), asGet("/fhir/"+c+"/$disclosures"), asGet("/fhir/"+c+"/_history"))
		}
		return list
	}},
}

// askAbout asks by a door about everything of a person and judges all that comes.
func (b *bypass) askAbout(d aboutDoor, who bypasser, s int) {
	if !b.chosen(d.name, d.always, who.name, s, 0) {
		return
	}
	all := answer{status: http.StatusOK}
	q := inquiry{door: d.name, who: who, s: s}
	for _, q = range d.asks(b, s) {
		q.door, q.who, q.s = d.name, who, s
		a := b.sendIt(q)
		if a.status != http.StatusOK {
			all.status = a.status
		}
		b.nothingMore(q, a, d.past)
		all.body = append(all.body, contentOf(q, a)...)
	}
	if d.leads == nil {
		for c := range recordClasses {
			b.count(d.name, b.verdictOf(q, s, c).shown)
		}
		return
	}
	b.judge(q, all, demands(who, d.emergency), d.past, func(c int) bool { return d.leads(recordClasses[c].kind) })
}

// askCounts asks for totals: as many as the rules show.
func (b *bypass) askCounts(who bypasser, s int) {
	for _, door := range []struct{ name, query string }{{"_total", "&_total=accurate&_count=1"}, {"_summary=count", "&_summary=count"}} {
		if !b.chosen(door.name, false, who.name, s, 0) {
			continue
		}
		for _, kind := range bypassKinds(func(kind string) bool { return identified(kind) }) {
			q := asGet("/fhir/" + b.searchOf(kind, s) + "&identifier=" + url.QueryEscape(ownSystem+"|") + door.query)
			q.door, q.who, q.s = door.name, who, s
			a := b.sendIt(q)
			b.nothingMore(q, a, false)
			var told struct{ Total *int }
			if err := json.Unmarshal(a.body, &told); err != nil {
				b.fault(q, -1, err.Error(), a)
				continue
			}
			want, first := 0, -1
			for c, one := range recordClasses {
				if one.kind != kind {
					continue
				}
				first = c
				shown := b.verdictOf(q, s, c).shown
				if shown {
					want++
				}
				b.count(door.name, shown)
			}
			switch {
			case told.Total == nil && (want > 0 && demands(who, false) || a.status == http.StatusOK):
				b.fault(q, first, "no total", a)
			case told.Total != nil && (*told.Total > want || *told.Total < want && demands(who, false)):
				b.fault(q, first, fmt.Sprintf("total %d, want %d", *told.Total, want), a)
			}
		}
	}
}
