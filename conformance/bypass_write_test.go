package conformance_test

import (
	"net/http"
	"strings"
)

// writeDoor tries to change a record. Nobody but its custodian can, and to whom it is hidden it is not there.
type writeDoor struct {
	name  string
	kinds func(kind string) bool
	// own: the custodian tries too, under a version that is not there: it is told so (412), and nothing changes.
	own bool
	ask func(b *bypass, s, c int, ref string) inquiry
}

const noVersion = `W/"00000000-0000-4000-8000-000000000000"`

// stolen is a body of the class that says nothing of the record.
func (b *bypass) stolen(s, c int, id string) string {
	body := b.bodyOf(s, c, b.persons[s], "w")
	for _, kind := range []string{"w", "n", "d", "p0", "p1", "p2"} {
		body = strings.ReplaceAll(body, markOf(s, c)+kind, "fremmed"+kind)
	}
	if id == "" {
		return body
	}
	return strings.Replace(body, "{", `{"id":"`+id+`",`, 1)
}

const smallPatch = `[{"op":"add","path":"/language","value":"nb"}]`

func fhirBody(method, path, body string, header ...string) inquiry {
	return inquiry{method: method, path: path, media: "application/fhir+json", body: body, header: header}
}

func patchOf(path string, header ...string) inquiry {
	return inquiry{method: http.MethodPatch, path: path, media: "application/json-patch+json", body: smallPatch, header: header}
}

func byIdentifier(s, c int, ref string) string {
	kind, _, _ := strings.Cut(ref, "/")
	return "/fhir/" + kind + "?identifier=" + identifierOf(s, c, ref)
}

var writeDoors = []writeDoor{
	{name: "PUT", own: true, kinds: versioned, ask: func(b *bypass, s, c int, ref string) inquiry {
		_, id, _ := strings.Cut(ref, "/")
		return fhirBody(http.MethodPut, "/fhir/"+ref, b.stolen(s, c, id))
	}},
	{name: "PATCH", own: true, kinds: versioned, ask: func(_ *bypass, _, _ int, ref string) inquiry { return patchOf("/fhir/" + ref) }},
	{name: "DELETE", own: true, kinds: versioned, ask: func(_ *bypass, _, _ int, ref string) inquiry {
		return inquiry{method: http.MethodDelete, path: "/fhir/" + ref}
	}},
	{name: "PATCH in a batch", kinds: versioned, ask: func(_ *bypass, _, _ int, ref string) inquiry {
		return fhirBody(http.MethodPost, "/fhir", `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"DELETE","url":"`+ref+`"}}]}`)
	}},
	{name: "DELETE in a transaction", kinds: versioned, ask: func(_ *bypass, _, _ int, ref string) inquiry {
		return fhirBody(http.MethodPost, "/fhir", `{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"DELETE","url":"`+ref+`"}}]}`)
	}},
	{name: "conditional update", own: true, kinds: identified, ask: func(b *bypass, s, c int, ref string) inquiry {
		return fhirBody(http.MethodPut, byIdentifier(s, c, ref), b.stolen(s, c, ""))
	}},
	{name: "conditional patch", own: true, kinds: identified, ask: func(_ *bypass, s, c int, ref string) inquiry { return patchOf(byIdentifier(s, c, ref)) }},
	{name: "conditional delete", kinds: identified, ask: func(_ *bypass, s, c int, ref string) inquiry {
		return inquiry{method: http.MethodDelete, path: byIdentifier(s, c, ref)}
	}},
	{name: "conditional create", kinds: identified, ask: func(b *bypass, s, c int, ref string) inquiry {
		kind, _, _ := strings.Cut(ref, "/")
		return fhirBody(http.MethodPost, "/fhir/"+kind, b.stolen(s, c, ""), "If-None-Exist", "identifier="+identifierOf(s, c, ref))
	}},
	{name: "$meta-add", kinds: versioned, ask: func(_ *bypass, _, _ int, ref string) inquiry {
		return fhirBody(http.MethodPost, "/fhir/"+ref+"/$meta-add", `{"resourceType":"Parameters","parameter":[{"name":"meta","valueMeta":{"tag":[{"system":"urn:x","code":"y"}]}}]}`)
	}},
	{name: "$withhold", kinds: func(kind string) bool { return kind == "CarePlan" || kind == "Condition" }, ask: func(_ *bypass, _, _ int, ref string) inquiry {
		return fhirBody(http.MethodPost, "/fhir/"+ref+"/$withhold", operands("code", "nektet", "reason", "x"))
	}},
	{name: "$protect", kinds: func(kind string) bool { return kind == "Patient" }, ask: func(_ *bypass, _, _ int, ref string) inquiry {
		return fhirBody(http.MethodPost, "/fhir/"+ref+"/$protect", operands("code", "strengt-fortrolig", "reason", "x"))
	}},
}

// tryWrite tries to change a record by a door.
func (b *bypass) tryWrite(d writeDoor, who bypasser, s, c int) {
	if !d.kinds(recordClasses[c].kind) || !b.chosen(d.name, false, who.name, s, c) || who.name == asCustodian && !d.own {
		return
	}
	q := d.ask(b, s, c, b.refOf(s, c))
	q.door, q.who, q.s = d.name, who, s
	if who.name == asCustodian {
		b.tryOwn(q, c)
		return
	}
	a := b.sendIt(q)
	b.nothingMore(q, a, false)
	matched := strings.HasPrefix(d.name, "conditional")
	shown := b.verdictOf(q, s, c).shown
	b.count(d.name, false)
	if (a.status == http.StatusOK || a.status == http.StatusNoContent) && !matched && !strings.Contains(d.name, "batch") {
		b.fault(q, c, "CHANGED by another", a)
	}
	// Conditions match only what the party keeps itself: what it sees of others is none of it.
	if (shown || b.toldOf(who, s, c)) && !matched {
		return
	}
	b.likeAbsent(q, a, c, d.ask(b, s, c, recordClasses[c].kind+"/"+absentID), false)
}

// tryOwn: the custodian finds its record, and is stopped by the version alone.
func (b *bypass) tryOwn(q inquiry, c int) {
	q.header = append(q.header, "If-Match", noVersion)
	a := b.sendIt(q)
	b.count(q.door, true)
	if a.status != http.StatusPreconditionFailed {
		b.fault(q, c, "REFUSED otherwise than by its version", a)
	}
}

// unchanged demands, when all have tried, that every record is as it was written.
func (b *bypass) unchanged(s, c int) {
	if recordClasses[c].kind == "Provenance" {
		return
	}
	q := asGet("/fhir/" + b.refOf(s, c))
	q.door, q.who, q.s = "as it was written", bypassers[0], s
	a := b.sendIt(q)
	if a.status != http.StatusOK || !strings.Contains(a.header.Get("ETag"), b.versions[s][c][1]) {
		b.fault(q, c, "CHANGED: the version is another", a)
	}
}
