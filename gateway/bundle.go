package gateway

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/sluse/sluse/gateway/fhir"
)

// Entry is one entry of a transaction (R4 http.html#transaction).
type Entry struct {
	Interaction
	FullURL string            // what other entries call the resource; "" when nothing does
	Lookups map[string]Lookup // the conditional references of the body, by their text
}

// Lookup is a conditional reference: the one resource of the type for which the conditions hold, among
// the writer's own records and the directory (R4 http.html#trules).
type Lookup struct {
	Type   fhir.Type
	Search Search
}

// EntryError is what was wrong with one entry of a Bundle, because of which nothing of it was done.
type EntryError struct {
	Entry int // from 0
	Err   error
}

// Error gives the line for the log.
func (e *EntryError) Error() string { return "entry " + strconv.Itoa(e.Entry) + ": " + e.Err.Error() }

// Unwrap gives the cause.
func (e *EntryError) Unwrap() error { return e.Err }

// Transact performs the entries of a transaction: all of them or nothing. It deletes, creates, updates
// and patches, and then reads what has come of it, and gives one Outcome for each entry, in their
// order. Each write is decided, labelled and recorded as if it stood alone. The error is an
// *EntryError when it is about one entry.
func (g *Gateway) Transact(ctx context.Context, a Actor, entries []Entry) (_ []Outcome, err error) {
	defer g.failed(ctx, a, Interaction{Code: Transaction}, &err)
	for i := range entries {
		in := entries[i].Interaction
		if a.Purpose == BreakTheGlass { // a transaction is no read, whatever it holds
			return nil, &EntryError{i, g.refuseEmergency(ctx, a, in)}
		}
		if misplaced := chosenID(in); misplaced != nil {
			return nil, &EntryError{i, misplaced}
		}
	}
	who, dir, err := g.writer(ctx, a)
	if err != nil {
		return nil, err
	}
	permits := make(map[fhir.Type]Permit)
	for i := range entries {
		in := entries[i].Interaction
		if !in.writes() {
			continue
		}
		if _, ok := permits[in.Target.Type]; ok && in.Target.Type != "Provenance" {
			continue
		}
		if permits[in.Target.Type], err = g.mayWrite(ctx, who, in); err != nil {
			return nil, &EntryError{i, err}
		}
	}
	var t *transaction
	err = g.Store.Tx(ctx, func(tx Tx) error {
		t = &transaction{Gateway: g, tx: tx, who: who, dir: dir, permits: permits, entries: entries}
		return t.run(ctx)
	})
	if err != nil {
		if t != nil && t.refused != nil { // the refusal is durable, whatever else was undone
			if err := g.record(ctx, t.refused, nil); err != nil {
				return nil, err
			}
		}
		return nil, g.refusedEntry(ctx, who, entries, err)
	}
	if len(t.fetched) > 0 {
		if err := g.record(ctx, nil, t.fetched); err != nil {
			return nil, err
		}
	}
	return t.out, nil
}

// refusedEntry records the refusal of an entry that writes, as one of a single write.
func (g *Gateway) refusedEntry(ctx context.Context, who asked, entries []Entry, refusal error) error {
	var at *EntryError
	if !errors.As(refusal, &at) || !entries[at.Entry].writes() {
		return refusal
	}
	return g.refusedWrite(ctx, who, entries[at.Entry].Interaction, refusal)
}

// writes tells whether the interaction changes anything.
func (in Interaction) writes() bool {
	return in.Code == Create || in.Code == Update || in.Code == Patch || in.Code == Delete
}

// transaction is one run of a transaction Bundle inside a Tx.
type transaction struct {
	*Gateway
	tx      Tx
	who     asked
	dir     Directory
	permits map[fhir.Type]Permit
	entries []Entry
	steps   []step
	out     []Outcome
	done    []bool                    // settled by its condition: nothing is left to write
	same    []int                     // the earlier entry that creates under the same condition; -1: none
	known   map[string]fhir.Reference // by fullUrl, with the version that it will have
	taken   map[fhir.Reference]int    // which entry writes a resource
	refused []AuditEntry
	fetched []FetchedVersion
}

func (t *transaction) run(ctx context.Context) error {
	n := len(t.entries)
	t.steps, t.out, t.done, t.same = make([]step, n), make([]Outcome, n), make([]bool, n), make([]int, n)
	t.known, t.taken = make(map[string]fhir.Reference, n), make(map[fhir.Reference]int, n)
	for i := range t.entries {
		in := t.entries[i].Interaction
		t.steps[i] = step{in: in, who: t.who, dir: t.dir, permit: t.permits[in.Target.Type]}
		t.same[i] = -1
	}
	for _, phase := range []func(context.Context) error{t.delete, t.identify, t.write, t.look} {
		if err := phase(ctx); err != nil {
			return err
		}
	}
	return nil
}

// delete settles what the conditional deletes are about before anything is gone, and deletes.
func (t *transaction) delete(ctx context.Context) error {
	for _, perform := range []bool{false, true} {
		for i := range t.steps {
			if s := &t.steps[i]; s.in.Code != Delete || t.done[i] {
				continue
			} else if !perform {
				if err := t.settle(ctx, i); err != nil {
					return &EntryError{i, err}
				}
			} else if err := t.perform(ctx, i); err != nil {
				return &EntryError{i, err}
			}
		}
	}
	return nil
}

// identify settles which resource every other write is about, creates first, so that entries can name
// each other.
func (t *transaction) identify(ctx context.Context) error {
	asked := make(map[string]int)
	for _, creates := range []bool{true, false} {
		for i := range t.steps {
			s := &t.steps[i]
			if !s.in.writes() || s.in.Code == Delete || (s.in.Code == Create) != creates {
				continue
			}
			if err := t.identifyOne(ctx, i, asked); err != nil {
				return &EntryError{i, err}
			}
		}
	}
	return nil
}

func (t *transaction) identifyOne(ctx context.Context, i int, asked map[string]int) error {
	s := &t.steps[i]
	creates := s.in.Code == Create
	if s.in.When != nil {
		key := string(s.in.Target.Type) + "\x00" + s.in.When.Canonical + "\x00" + s.in.When.Subject.NIN.Reveal()
		if first, ok := asked[key]; ok {
			if !creates || t.entries[first].Code != Create {
				return Fault("gateway.transact", Invalid, twice)
			}
			t.same[i] = first
			return t.name(i, t.known[entryName(first)])
		}
		asked[key] = i
		if err := t.settle(ctx, i); err != nil || t.done[i] {
			if t.done[i] {
				return t.name(i, t.out[i].Location)
			}
			return err
		}
	}
	ref, err := t.newReference(s.in.Target.Type, s.in.Target.ID)
	if err != nil {
		return err
	}
	s.in.Target.ID, s.version = ref.ID, ref.Version
	if err := t.take(i); err != nil {
		return err
	}
	return t.name(i, ref)
}

// settle asks the condition of an entry.
func (t *transaction) settle(ctx context.Context, i int) error {
	s := &t.steps[i]
	if s.in.When != nil {
		out, done, err := t.condition(ctx, t.tx, s)
		if err != nil {
			return err
		}
		t.out[i], t.done[i], s.in.When = out, done, nil
	}
	if s.in.Code == Delete && !t.done[i] {
		return t.take(i)
	}
	return nil
}

var (
	twice   = fhir.Issue{Severity: "error", Type: "duplicate", Code: "bundle.identity-twice", Expression: "http.url"}
	urlUsed = fhir.Issue{Severity: "error", Type: "duplicate", Code: "bundle.full-url-twice", Expression: "Bundle.entry.fullUrl"}
)

// take refuses two entries that write the same resource (R4 http.html#trules).
func (t *transaction) take(i int) error {
	ref := fhir.Reference{Type: t.steps[i].in.Target.Type, ID: t.steps[i].in.Target.ID}
	if _, ok := t.taken[ref]; ok {
		return Fault("gateway.transact", Invalid, twice)
	}
	t.taken[ref] = i
	return nil
}

// entryName is what an entry without regard to its fullUrl is known by.
func entryName(i int) string { return "\x00" + strconv.Itoa(i) }

// name remembers what the fullUrl of an entry stands for.
func (t *transaction) name(i int, ref fhir.Reference) error {
	t.known[entryName(i)] = ref
	url := t.entries[i].FullURL
	if url == "" {
		return nil
	}
	if _, ok := t.known[url]; ok {
		return Fault("gateway.transact", Invalid, urlUsed)
	}
	t.known[url] = ref
	return nil
}

// write writes in such an order that each finds what it stands on: a record its Patient, a Consent its
// CareTeam, what takes labels over what it takes them from. R4 leaves the order within creates and
// updates open, and no two entries write the same resource.
func (t *transaction) write(ctx context.Context) error {
	var order []int
	for i := range t.steps {
		if s := &t.steps[i]; s.in.writes() && s.in.Code != Delete && !t.done[i] && t.same[i] < 0 {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(precedence(t.steps[a].in.Target.Type), precedence(t.steps[b].in.Target.Type))
	})
	for _, i := range order {
		if err := t.perform(ctx, i); err != nil {
			return &EntryError{i, err}
		}
	}
	for i, first := range t.same {
		if first >= 0 {
			t.out[i] = t.out[first]
			t.out[i].Created = false
		}
	}
	return nil
}

// precedence says what must be there before what.
func precedence(kind fhir.Type) int {
	switch {
	case kind == "Patient" || IsDirectory(kind):
		return 0
	case kind == "Binary":
		return 2
	case kind == "DocumentReference" || kind == "List" || kind == "Group":
		return 3
	case kind == "Composition":
		return 4
	case kind == "Provenance":
		return 5
	case kind == "Consent":
		return 6
	case kind == "Communication":
		return 7
	}
	return 1
}

// perform does one write as a single interaction would, after the names in it are settled.
func (t *transaction) perform(ctx context.Context, i int) error {
	s := &t.steps[i]
	if s.in.Body != nil {
		body, err := t.rewritten(ctx, i)
		if err != nil {
			return err
		}
		s.in.Body = body
	}
	if s.in.Target.Type == "Consent" { // it may name what an earlier entry has put into the directory
		dir, err := t.tx.Directory(ctx)
		if err != nil {
			return err
		}
		s.dir = dir
	}
	out, err := t.Gateway.perform(ctx, t.tx, *s)
	t.out[i], t.done[i] = out, err == nil
	return err
}

// look reads, after everything is written. What cannot be read fails the transaction.
func (t *transaction) look(ctx context.Context) error {
	for i := range t.entries {
		if t.steps[i].in.writes() {
			continue
		}
		seen, err := t.lookAt(ctx, t.tx, t.who.Actor, t.steps[i].in)
		if err != nil {
			return &EntryError{i, err}
		}
		if seen.refusal != nil {
			t.refused = seen.entries
			return &EntryError{i, seen.refusal}
		}
		if err := t.tx.Record(ctx, seen.entries); err != nil {
			return &EntryError{i, err}
		}
		t.out[i] = seen.out
		t.fetched = append(t.fetched, seen.fetched...)
	}
	return nil
}

// rewritten puts the names that the server has given in the place of those that entries called each
// other by, and the one match in the place of a conditional reference (R4 http.html#trules). Every
// other byte stays.
func (t *transaction) rewritten(ctx context.Context, i int) (*fhir.Resource, error) {
	res := t.steps[i].in.Body
	e, changed := res.Edit(), false
	for _, v := range res.Addresses() {
		named, ok, err := t.meant(ctx, i, v)
		if err != nil {
			return nil, err
		}
		if ok {
			e.Replace(v, fhir.AppendString(nil, named))
			changed = true
		}
	}
	for _, v := range res.Narratives() {
		if div, ok := t.relinked(v.Text()); ok {
			e.Replace(v, fhir.AppendString(nil, div))
			changed = true
		}
	}
	if !changed {
		return res, nil
	}
	body, err := e.Bytes()
	if err != nil {
		return nil, Failed("gateway.transact", Internal, err)
	}
	again, err := fhir.Parse(body)
	if err != nil {
		return nil, contentFault("gateway.transact", err)
	}
	return again, nil
}

// meant tells what an address stands for, if that is another than it says.
func (t *transaction) meant(ctx context.Context, i int, v *fhir.Value) (string, bool, error) {
	const op = "gateway.transact"
	text := v.Text()
	wrong := func(code Code, issue fhir.Issue) error {
		issue.Severity, issue.Expression = "error", v.Expression()
		return Fault(op, code, issue)
	}
	if ref, ok := t.named(i, text); ok {
		return ref, true, nil
	}
	isReference := v.Name() == "reference"
	if isReference && (strings.HasPrefix(text, "urn:uuid:") || strings.HasPrefix(text, "urn:oid:")) {
		return "", false, wrong(Invalid, fhir.Issue{Type: "not-found", Code: "bundle.reference-unresolved"})
	}
	lookup, ok := t.entries[i].Lookups[text]
	if !isReference || !ok {
		return "", false, nil
	}
	found, err := t.lookUp(ctx, lookup)
	switch {
	case err != nil:
		return "", false, err
	case len(found) == 0:
		return "", false, wrong(Invalid, fhir.Issue{Type: "not-found", Code: "bundle.reference-none"})
	case len(found) > 1:
		return "", false, wrong(Precondition, fhir.Issue{Type: "multiple-matches", Code: "bundle.reference-multiple"})
	}
	return string(lookup.Type) + "/" + string(found[0].Reference.ID), true, nil
}

// named finds the entry that an address names: by its fullUrl, or relative to that of the entry it
// stands in (R4 bundle.html#references). A reference to a version becomes one to the version that the
// transaction makes.
func (t *transaction) named(i int, text string) (string, bool) {
	url, version, versioned := strings.Cut(text, "/_history/")
	ref, ok := t.known[url]
	if !ok {
		base := t.entries[i].FullURL
		here := "/" + string(t.entries[i].Target.Type) + "/"
		at := strings.LastIndex(base, here)
		if at < 0 || !strings.HasPrefix(base, "http") {
			return "", false
		}
		if ref, ok = t.known[base[:at]+"/"+url]; !ok {
			return "", false
		}
	}
	name := string(ref.Type) + "/" + string(ref.ID)
	if versioned && version != "" {
		name += "/_history/" + ref.Version
	}
	return name, name != text
}

// relinked rewrites the addresses of a narrative's links and pictures.
func (t *transaction) relinked(div string) (string, bool) {
	var out strings.Builder
	from, changed := 0, false
	for i := 0; i < len(div); i++ {
		quote := div[i]
		if quote != '"' && quote != '\'' {
			continue
		}
		end := strings.IndexByte(div[i+1:], quote)
		if end < 0 {
			break
		}
		end += i + 1
		before := strings.TrimRight(div[:i], " \t\r\n=")
		if strings.HasSuffix(before, "href") || strings.HasSuffix(before, "src") {
			if ref, ok := t.known[div[i+1:end]]; ok {
				out.WriteString(div[from:i+1] + string(ref.Type) + "/" + string(ref.ID))
				from, changed = end, true
			}
			i = end
		}
	}
	if !changed {
		return "", false
	}
	out.WriteString(div[from:])
	return out.String(), true
}

// lookUp finds what a conditional reference means: an own record, or an entry of the directory. It
// sees what the transaction has written so far.
func (t *transaction) lookUp(ctx context.Context, l Lookup) ([]Record, error) {
	if IsDirectory(l.Type) {
		return t.tx.Search(ctx, directoryPermit(t.who, Find), l.Type, l.Search, 0, 2, Cursor{})
	}
	found, err := t.matches(ctx, t.tx, t.who, Interaction{Code: Find, Target: fhir.Reference{Type: l.Type}, When: &l.Search})
	if CodeOf(err) == NotFound {
		return nil, nil
	}
	return found, err
}

// looked is what a look at one snapshot gives: an answer or a refusal, and what the ledger says of it.
type looked struct {
	out     Outcome
	entries []AuditEntry
	fetched []FetchedVersion
	refusal error
}

// lookAt performs an interaction that changes nothing, on a snapshot that is there.
func (g *Gateway) lookAt(ctx context.Context, v View, a Actor, in Interaction) (looked, error) {
	var (
		seen looked
		err  error
	)
	switch in.Code {
	case Read, VRead:
		seen, err = g.readAt(ctx, v, a, in)
	case Find:
		seen, err = g.searchAt(ctx, v, a, in)
	case History, HistoryType, HistorySystem:
		seen, err = g.historyAt(ctx, v, a, in)
	default:
		err = Fault("gateway.look", NotSupported, fhir.Issue{Severity: "error", Type: "not-supported", Code: "interaction"})
	}
	if IsDirectory(in.Target.Type) {
		seen.entries = nil
	}
	return seen, err
}
