package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/sluse/sluse/gateway/fhir"
)

// stepped are the elements of a Task that its owner sets: how far the work has come, by code. The rest is
// the custodian's.
var stepped = []string{"status", "businessStatus", "statusReason", "lastModified", "executionPeriod"}

// answered are the elements of a Task to which its owner adds in words. Words are the owner's own
// information about the person: they are asked as contribute, and as a message to the custodian. So is a code
// by which the Task gets a label that it did not have.
var answered = []string{"note", "output"}

// contribute writes a new version of another's Task for its owner (DESIGN § 3, Writing); done is false
// when this is no such write. The Task must be releasable to the owner already: to be named as owner
// shows nothing.
func (g *Gateway) contribute(ctx context.Context, tx Tx, s step) (out Outcome, done bool, err error) {
	const op = "gateway.contribute"
	if s.in.Target.Type != "Task" || s.in.Code != Update || s.in.Body == nil || s.who.Kind != Person {
		return Outcome{}, false, nil
	}
	full, err := g.resolve(ctx, tx, s.who.Actor)
	if err != nil {
		return Outcome{}, true, err
	}
	reader, facts, err := g.permitFor(ctx, tx, full, Read, s.in.Target)
	if err != nil {
		return Outcome{}, true, err
	}
	seen, err := tx.Read(ctx, reader, fhir.Reference{Type: "Task", ID: s.in.Target.ID})
	if err == nil {
		err = reader.checked(seen)
	}
	if err != nil || seen.Deleted || seen.Custodian == s.who.Party {
		return Outcome{}, false, nil // told in the ordinary way
	}
	owner := asked{Actor: s.who.Actor, party: Party{ID: seen.Custodian}}
	if p, ok := s.dir.Party(seen.Custodian); ok {
		owner.party = p
	}
	current, err := tx.Lock(ctx, g.custody(owner, Update), s.in.Target)
	if err != nil {
		return Outcome{}, true, err
	}
	if !ownsTask(current, s.dir, s.who.Actor) {
		return Outcome{}, false, nil
	}
	if s.in.IfMatch != "" && s.in.IfMatch != current.Reference.Version {
		return Outcome{}, true, Fault(op, Precondition, fhir.Issue{Severity: "error", Type: "conflict", Code: "version-conflict"})
	}
	body, words, err := taskAnswer(reader, seen, current, s.in.Body)
	if err != nil {
		return Outcome{}, true, err
	}
	named := s.named()
	w, err := g.authored(ctx, owner, body, current.Reference.ID, current.Added|named)
	if err != nil {
		return Outcome{}, true, err
	}
	if words || (w.draft.Labels|w.draft.Added)&^current.Labels != 0 {
		if err := g.mayContribute(ctx, full, owner.party, facts, current, w); err != nil {
			return Outcome{}, true, err
		}
	}
	out, err = g.contributed(ctx, tx, s, owner, full, current, w)
	return out, true, err
}

// contributed stores the version under its custodian, and tells in the ledger who has written it. What comes
// back is the Task as the owner sees it now.
func (g *Gateway) contributed(ctx context.Context, tx Tx, s step, owner, full asked, current Record, w *written) (Outcome, error) {
	if len(w.points) > 0 { // what it took over from others stays
		w.draft.Labels |= current.Labels
	}
	w.draft.Previous, w.draft.Sent, w.draft.Method = current.Reference.Version, current.Sent, Update
	if err := g.stamp(owner, w); err != nil {
		return Outcome{}, err
	}
	r, err := tx.Put(ctx, g.custody(owner, Update), w.draft)
	if err != nil {
		return Outcome{}, err
	}
	entry, err := g.writtenEntry(s.who, w, r.Person)
	if err != nil {
		return Outcome{}, err
	}
	entry.Party = full.party
	if err := tx.Record(ctx, []AuditEntry{entry}); err != nil {
		return Outcome{}, err
	}
	out := Outcome{Version: r.Reference.Version, Updated: r.Updated, Location: r.Reference}
	reader, _, err := g.permitFor(ctx, tx, full, Update, r.Reference)
	if err != nil {
		return Outcome{}, err
	}
	after, err := tx.Read(ctx, reader, fhir.Reference{Type: "Task", ID: r.Reference.ID})
	if CodeOf(err) == NotFound {
		return out, nil // what was added carries a label that is not shared with the owner
	}
	if err == nil {
		err = reader.checked(after)
	}
	if err != nil {
		return Outcome{}, err
	}
	out.Release.body, _, err = reader.release(after)
	return out, err
}

// mayContribute asks for words of the owner in another's record: whether it may write there, and whether
// what it writes, which is its own to tell, may be sent to the custodian.
func (g *Gateway) mayContribute(ctx context.Context, who asked, custodian Party, facts Facts, current Record, w *written) error {
	const op = "gateway.contribute"
	refuse := Fault(op, Forbidden, fhir.Issue{Severity: "error", Type: "forbidden", Code: "task.words-not-covered", Expression: "Task.note"})
	after := current
	after.Labels = w.draft.Labels | w.draft.Added
	p, err := g.permit(ctx, who, Update, Question{Action: ContributeAction, Named: true, Facts: facts})
	if err != nil {
		return err
	}
	if _, ok := p.Scope().Releases(after); !ok {
		return refuse
	}
	told := after
	told.Custodian, told.Sent, told.Fetched = who.party.ID, nil, 0
	receiver := asked{Actor: Actor{Kind: Machine, Party: custodian.ID, Purpose: who.Purpose, Client: who.Client}, party: custodian}
	p, err = g.permit(ctx, receiver, Relay, Question{Action: MessageAction, Named: true, Facts: facts})
	if err != nil {
		return err
	}
	if _, ok := p.Scope().Releases(told); !ok {
		return refuse
	}
	return nil
}

// ownsTask tells whether the actor is the owner that the Task names: her party, or in it her unit or herself.
func ownsTask(r Record, dir Directory, a Actor) bool {
	res, err := ParseAuthored(r.Body)
	if err != nil {
		return false
	}
	ref, err := fhir.ParseReference(res.Root().Get("owner", "reference").Text())
	if err != nil {
		return false
	}
	ref.Version = ""
	owner, ok := dir.Resolve(ref)
	return ok && owner.Party != "" && owner.Party == a.Party &&
		(owner.Unit == "" || owner.Unit == a.Unit) && (owner.Practitioner == "" || owner.Practitioner == a.Practitioner)
}

// named are the labels that the writer names in what it sends.
func (s step) named() (l Labels) {
	for _, c := range s.in.Body.Root().Get("meta", "security").Items() {
		if one, ok := LabelOf(c.Get("code").Text()); ok && c.Get("system").Text() == LabelSystem {
			l |= one
		}
	}
	return l
}

// taskAnswer puts what the owner has set into the Task as the custodian keeps it. Everything else must be as
// the owner was shown it. words tells whether something is said that is no code.
func taskAnswer(reader Permit, seen, current Record, sent *fhir.Resource) (body []byte, words bool, err error) {
	const op = "gateway.contribute"
	shown, _, err := reader.release(seen)
	if err != nil {
		return nil, false, err
	}
	before, err := elements(shown)
	if err != nil {
		return nil, false, Failed(op, Internal, err)
	}
	after, err := elements(sent.Root().Raw())
	if err != nil {
		return nil, false, Failed(op, Malformed, err)
	}
	stored, err := ParseAuthored(current.Body)
	if err != nil {
		return nil, false, Failed(op, Internal, err)
	}
	refuse := func(code, name string) error {
		return Fault(op, Invalid, fhir.Issue{Severity: "error", Type: "business-rule", Code: code, Expression: "Task." + name})
	}
	e := stored.Edit()
	names := maps.Clone(before)
	maps.Copy(names, after)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if name == "meta" || name == "text" || same(before[name], after[name]) {
			continue
		}
		switch {
		case slices.Contains(stepped, name) && after[name] != nil:
			if name == "status" && string(after[name]) == `"entered-in-error"` {
				return nil, false, refuse("task.not-owners", name)
			}
			words = words || saysWords(sent.Root().Get(name))
			e.Set(stored.Root(), name, after[name])
		case slices.Contains(answered, name):
			more, ok := added(before[name], after[name])
			if !ok {
				return nil, false, refuse("task.only-add", name)
			}
			words = true
			if old := stored.Root().Get(name); old != nil {
				for _, one := range more {
					e.Append(old, one)
				}
				continue
			}
			e.Set(stored.Root(), name, slices.Concat([]byte{'['}, bytes.Join(more, []byte{','}), []byte{']'}))
		default:
			return nil, false, refuse("task.not-owners", name)
		}
	}
	if body, err = e.Bytes(); err != nil {
		return nil, false, Failed(op, Internal, err)
	}
	return body, words, nil
}

// elements gives the elements of a resource as they are written.
func elements(body []byte) (map[string]json.RawMessage, error) {
	var m map[string]json.RawMessage
	err := json.Unmarshal(body, &m)
	return m, err
}

// same tells whether two elements say the same, whatever the order of their members.
func same(a, b json.RawMessage) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return string(ordered(a)) == string(ordered(b))
}

// ordered writes JSON with members in order and numbers as they are.
func ordered(raw []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return raw
	}
	out, err := json.Marshal(v)
	if err != nil {
		return raw
	}
	return out
}

// added gives what a list has more than before; ok is false when anything of it is changed or gone.
func added(before, after json.RawMessage) (more [][]byte, ok bool) {
	var was, is []json.RawMessage
	if before != nil && json.Unmarshal(before, &was) != nil || after == nil || json.Unmarshal(after, &is) != nil || len(is) < len(was) {
		return nil, false
	}
	for i := range was {
		if !same(was[i], is[i]) {
			return nil, false
		}
	}
	for _, one := range is[len(was):] {
		more = append(more, one)
	}
	return more, true
}

// saysWords tells whether an element holds more than codes: text, display, an extension, or a code that is
// several words (R4 datatypes.html#code lets it be).
func saysWords(v *fhir.Value) bool {
	for _, m := range v.Members() {
		switch {
		case m.Name == "text", m.Name == "display", m.Name == "extension", saysWords(m.Value):
			return true
		case m.Name == "code" && m.Value.Kind() == fhir.String && strings.ContainsAny(m.Value.Text(), " \t"):
			return true
		}
	}
	return slices.ContainsFunc(v.Items(), saysWords)
}
