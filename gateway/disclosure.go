package gateway

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// DisclosureWay is how records left.
type DisclosureWay string

// The ways.
const (
	ByReading      DisclosureWay = "read"
	ByMessage      DisclosureWay = "message"
	ByNotification DisclosureWay = "notification"
	ByExport       DisclosureWay = "export"
)

// WayOf tells how records left by an interaction. One that is not known here is not left out: it is a reading.
func WayOf(code InteractionCode) DisclosureWay {
	switch code {
	case Collect:
		return ByMessage
	case Notify, AskEvents, AskStatus:
		return ByNotification
	case Export, ExportDownload:
		return ByExport
	}
	return ByReading
}

// Disclosure is one occasion on which records left, or were laid ready for their receiver, on a Consent.
type Disclosure struct {
	Key      int64 // place among those of the same instant
	At       time.Time
	Way      DisclosureWay
	Waiting  bool  // a message that lay ready and was not fetched then
	Party    HERID // to whom
	Unit     HERID
	Entities []AuditEntity // only those that the Consent let out, and only with its citations
}

// DisclosureReader finds what has left on a Consent.
type DisclosureReader interface {
	// Disclosures lists what has left on any version of the Consent about the person, the latest first, as
	// far as the LedgerScope of the permit lets it be known: all about the patient, what was a
	// custodian's own, what was of or to the parties of compliance. An entity that may not be known
	// may be among those of a Disclosure that may.
	Disclosures(ctx context.Context, p Permit, consent fhir.Reference, person PersonID, limit int, after Cursor) ([]Disclosure, error)
}

// disclosuresPage is how many occasions a page of $disclosures holds at most.
const disclosuresPage = 100

// disclosuresAt answers $disclosures: the registry of what has left on one Consent (DESIGN § 3,
// Registering, confirming, withdrawing). Who may look up the accesses may look it up: the patient all of
// hers, a custodian what was its own, compliance what is of its parties, less which records. To
// everybody else, and to a custodian of whom nothing has left on another's Consent, it is not there.
func (g *Gateway) disclosuresAt(ctx context.Context, v View, who asked, in Interaction) (looked, error) {
	bound := binding(who.Actor, in.Search.Canonical, g.Decider.Revision())
	after, err := g.unseal(in.Search.Page, bound)
	if err != nil {
		return looked{}, err
	}
	facts, err := v.FactsOf(ctx, in.Target)
	if err != nil {
		return looked{}, err
	}
	p, err := g.permit(ctx, who, Operate, Question{Action: ReadAction, Named: true, Facts: facts})
	if err != nil {
		return looked{}, err
	}
	r, err := v.Read(ctx, p, fhir.Reference{Type: "Consent", ID: in.Target.ID})
	if err == nil {
		err = p.checked(r)
	}
	found := err == nil
	if err != nil && CodeOf(err) != NotFound {
		return looked{}, err
	}
	d := disclosing{scope: p.Scope().Ledger, person: facts.Person}
	if !d.mayAsk(who, found) {
		return g.refusedAt(who, in, facts.Person, p.unknownConsent(in.Target))
	}
	count := min(in.Search.Count, disclosuresPage)
	list, err := v.Disclosures(ctx, p, in.Target, facts.Person, count+1, after)
	if err != nil {
		return looked{}, err
	}
	if d.list = list; len(list) == 0 && !after.Set && !d.concerns(p, r, found) {
		return g.refusedAt(who, in, facts.Person, p.unknownConsent(in.Target))
	}
	if len(list) > count {
		d.list = list[:count]
		last := d.list[count-1]
		if d.next, err = g.seal(Cursor{At: last.At, Key: last.Key}, bound); err != nil {
			return looked{}, err
		}
	}
	if d.dir, err = v.Directory(ctx); err != nil {
		return looked{}, Failed("gateway.disclosures", Unavailable, err)
	}
	return d.answer(g, who, in)
}

// unknownConsent is the one answer for what is hidden and what is not there, but that the patient is told
// of what is withheld from her.
func (p Permit) unknownConsent(r fhir.Reference) *Error {
	if told, ok := p.tellWithheld(r).(*Error); ok { //nolint:errorlint // made there, never wrapped
		return told
	}
	return absent("gateway.disclosures")
}

// disclosing is one page of the registry on its way out.
type disclosing struct {
	scope  LedgerScope
	person PersonID
	dir    Directory
	list   []Disclosure
	next   string
}

// mayAsk tells whether the actor has a registry at all for this person.
func (d *disclosing) mayAsk(who asked, found bool) bool {
	switch {
	case d.person <= 0 || who.attested != 0 && who.attested != d.person:
		return false
	case who.Kind == Patient:
		return found && d.scope.Person == d.person
	}
	return d.scope.Custodian != "" || len(d.scope.Compliance) > 0
}

// concerns tells whether nothing is an answer: to the patient, to who has registered the Consent, and to a
// custodian whose records it lets out.
func (d *disclosing) concerns(p Permit, r Record, found bool) bool {
	if d.scope.Person == d.person {
		return true
	}
	own := append([]HERID{d.scope.Custodian}, d.scope.Compliance...)
	if !found {
		return false
	}
	if slices.Contains(own, r.Custodian) {
		return true
	}
	view := p.Scope().Consents.view(r)
	return view != nil && slices.ContainsFunc(view.Parts, func(part GrantView) bool {
		return slices.ContainsFunc(part.Custodians, func(c HERID) bool { return slices.Contains(own, c) })
	})
}

// shows tells whether the entity may be known, and whether which record it is may be.
func (d *disclosing) shows(x Disclosure, e AuditEntity) (shown, named bool) {
	switch {
	case d.scope.Person > 0 && d.scope.Person == d.person, d.scope.Custodian != "" && e.Custodian == d.scope.Custodian:
		return true, true
	}
	return slices.Contains(d.scope.Compliance, e.Custodian) || slices.Contains(d.scope.Compliance, x.Party), false
}

// answer writes the page, and its line of the ledger.
func (d *disclosing) answer(g *Gateway, who asked, in Interaction) (looked, error) {
	lang := in.Operation.Language
	list := []parameter{{Name: "consent", Reference: &valueReference{Reference: in.Target.String()}}}
	for _, x := range d.list {
		for _, version := range versionsOf(x) {
			if p, ok := d.parameter(x, version, lang); ok {
				list = append(list, p)
			}
		}
	}
	if d.next != "" {
		link := page{search: in.Search, next: d.next}
		list = append(list, parameter{Name: "next", URI: link.nextLink()})
	}
	body, err := parametersOf(list)
	if err != nil {
		return looked{}, err
	}
	entry, err := g.entry(who, Operate, Released, d.person)
	if err != nil {
		return looked{}, err
	}
	entry.Type, entry.Query = "Consent", in.Search.Canonical
	entry.Entities = []AuditEntity{{Record: in.Target}}
	return looked{out: Outcome{Release: Release{body: body}}, entries: []AuditEntry{entry}}, nil
}

// versionsOf lists the versions of the Consent that let something of it out.
func versionsOf(x Disclosure) (versions []fhir.Reference) {
	for _, e := range x.Entities {
		for _, c := range e.Citations {
			if !slices.Contains(versions, c.Consent) {
				versions = append(versions, c.Consent)
			}
		}
	}
	return versions
}

// disclosureTexts are the ways in words.
var disclosureTexts = map[DisclosureWay]phrase{
	ByReading:      {"Lest av {0}.", "Lese av {0}.", "Read by {0}."},
	ByMessage:      {"Hentet som melding av {0}.", "Henta som melding av {0}.", "Fetched as a message by {0}."},
	ByNotification: {"Varslet til {0}.", "Varsla til {0}.", "Notified to {0}."},
	ByExport:       {"Eksportert til {0}.", "Eksportert til {0}.", "Exported to {0}."},
	"waiting":      {"Lagt klar som melding til {0}.", "Lagt klar som melding til {0}.", "Laid ready as a message to {0}."},
}

// parameter is what one version of the Consent let out on one occasion; false when none of it may be known.
func (d *disclosing) parameter(x Disclosure, version fhir.Reference, lang Language) (parameter, bool) {
	var (
		basis   []Citation
		records []parameter
		counts  = make(map[HERID]map[fhir.Type]int)
	)
	for _, e := range x.Entities {
		shown, named := d.shows(x, e)
		cited := slices.DeleteFunc(slices.Clone(e.Citations), func(c Citation) bool { return c.Consent != version })
		if !shown || len(cited) == 0 {
			continue
		}
		basis = appendNew(basis, cited...)
		if named {
			records = append(records, parameter{Name: "record", Reference: &valueReference{Reference: e.Record.String()}})
		}
		keeper := e.Custodian
		if !named && !slices.Contains(d.scope.Compliance, keeper) {
			keeper = "" // whose it was is not for the receiver's compliance
		}
		if counts[keeper] == nil {
			counts[keeper] = make(map[fhir.Type]int)
		}
		counts[keeper][e.Record.Type]++
	}
	if len(basis) == 0 {
		return parameter{}, false
	}
	key, name := x.Way, string(x.Party)
	if x.Waiting {
		key = "waiting"
	}
	if party, ok := d.dir.Party(x.Party); ok && party.Name != "" {
		name = party.Name
	}
	p := parameter{Name: "disclosure", Part: []parameter{
		{Name: "time", Instant: instant(x.At)}, {Name: "way", Code: string(x.Way)}, {Name: "text", String: disclosureTexts[key].in(lang, name)},
		partyNamed(d.dir, "receiver", x.Party),
	}}
	if x.Unit != "" && x.Unit != x.Party {
		p.Part = append(p.Part, parameter{Name: "unit", String: string(x.Unit)})
	}
	if x.Way == ByMessage {
		fetched := !x.Waiting
		p.Part = append(p.Part, parameter{Name: "fetched", Boolean: &fetched})
	}
	p.Part = append(p.Part, parameter{Name: "version", Reference: &valueReference{Reference: version.String()}})
	for _, c := range basis {
		p.Part = append(p.Part, parameter{Name: "basis", Part: citationParts(c)[1:]})
	}
	p.Part = append(p.Part, d.counted(counts)...)
	p.Part = append(p.Part, records...)
	return p, true
}

// counted tells how many records of each type left, and whose they are where that may be known.
func (d *disclosing) counted(counts map[HERID]map[fhir.Type]int) (list []parameter) {
	for _, keeper := range slices.Sorted(maps.Keys(counts)) {
		for _, t := range slices.Sorted(maps.Keys(counts[keeper])) {
			n := counts[keeper][t]
			one := parameter{Name: "what", Part: []parameter{{Name: "type", Code: string(t)}, {Name: "count", Unsigned: &n}}}
			if keeper != "" {
				one.Part = append(one.Part, partyNamed(d.dir, "custodian", keeper))
			}
			list = append(list, one)
		}
	}
	return list
}

// disclosed is what of a message crosses to the receiver of the verdict, on which Consents.
func (v *Verdict) disclosed(custodian HERID, c Content) []AuditEntity {
	var list []AuditEntity
	for i, kept := range c.Resources {
		if i < len(v.cited) {
			list = append(list, AuditEntity{Record: kept.Record, Custodian: custodian, Citations: v.cited[i]})
		}
	}
	return cited(list, "", v.Party)
}

// cited keeps of what was touched what a Consent, or any where none is named, let out to another than its
// custodian.
func cited(entities []AuditEntity, consent fhir.ID, to HERID) (list []AuditEntity) {
	for _, e := range entities {
		if e.Custodian == "" || e.Custodian == to || e.Record.Type == "Consent" {
			continue
		}
		e.Citations = slices.DeleteFunc(slices.Clone(e.Citations), func(c Citation) bool {
			return c.Consent.ID == "" || consent != "" && c.Consent.ID != consent
		})
		if len(e.Citations) > 0 {
			list = append(list, AuditEntity{Record: e.Record, Custodian: e.Custodian, Citations: e.Citations})
		}
	}
	return list
}

// DisclosedBy is the Disclosure that a line of the ledger tells of; false when nothing left on the Consent by it.
func DisclosedBy(e AuditEntry, consent fhir.ID) (Disclosure, bool) {
	x := Disclosure{At: e.Recorded, Way: WayOf(e.Interaction), Party: e.Party.ID, Unit: e.Actor.Unit, Entities: cited(e.Entities, consent, e.Party.ID)}
	return x, e.Outcome == Released && len(x.Entities) > 0
}
