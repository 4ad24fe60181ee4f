package cases

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// decisions of a table, and whether anything may cross by them.
var decisions = map[Decision]bool{Permit: true, PermitNotify: true, Refuse: false, Manual: false, OutOfScope: false}

// duties of who discloses: to log it, or to tell the patient as well.
var duties = []string{"log", "notify"}

// legal makes every combination of a case, and marks those that it lists.
func (n legalNote) legal(doc tableNote) (Legal, error) {
	l := Legal{ID: n.ID, Title: n.Title, Decision: n.Decision, Law: n.Law, Reason: n.Reason, Line: n.line, Regimes: n.Regimes}
	if n.Regimes == nil {
		l.Regimes = []Regime{BySamtykke, ByLov}
	}
	if err := n.complete(doc); err != nil {
		return l, err
	}
	lists := map[Regime][]crossingNote{BySamtykke: n.Samtykke, ByLov: n.Lov}
	for _, regime := range []Regime{BySamtykke, ByLov} {
		if !slices.Contains(l.Regimes, regime) {
			if len(lists[regime]) > 0 {
				return l, fmt.Errorf("line %d: %s: the case is not asked under this regime", lists[regime][0].line, regime)
			}
			continue
		}
		questions, err := n.questions(doc, regime)
		if err != nil {
			return l, err
		}
		for _, row := range lists[regime] {
			if err := row.mark(questions, regime); err != nil {
				return l, err
			}
		}
		l.Questions = append(l.Questions, questions...)
	}
	return l, nil
}

// complete tells what is missing or unknown in a case.
func (n legalNote) complete(doc tableNote) error {
	fault := func(format string, args ...any) error {
		return fmt.Errorf("line %d: %s: %s", n.line, n.ID, fmt.Sprintf(format, args...))
	}
	may, known := decisions[n.Decision]
	switch {
	case n.Title == "" || n.Law == "":
		return fault("title and law are to be told")
	case !known:
		return fault("decision: %q is none of permit, permit-notify, deny, manual, out-of-scope", n.Decision)
	case !may && len(n.Lov)+len(n.Samtykke) > 0:
		return fault("decision: nothing crosses by %q, and something is listed", n.Decision)
	case may && len(n.Lov)+len(n.Samtykke) == 0:
		return fault("decision: something crosses by %q, and nothing is listed", n.Decision)
	case !may && n.Reason == "":
		return fault("reason: why nothing crosses is to be told")
	case len(n.Who) == 0 || len(n.What) == 0 || len(n.Purposes) == 0 || len(n.Actions) == 0:
		return fault("who, what, purposes and actions are to be listed")
	}
	for _, w := range n.Who {
		if doc.Who[w] == nil {
			return fault("who: %q is not in the file's who", w)
		}
	}
	for _, w := range n.What {
		if doc.What[w] == nil {
			return fault("what: %q is not in the file's what", w)
		}
	}
	return nil
}

// questions are all combinations of a case under a regime.
func (n legalNote) questions(doc tableNote, regime Regime) ([]LegalQuestion, error) {
	var out []LegalQuestion
	for _, who := range n.Who {
		for _, what := range n.What {
			for _, purpose := range n.Purposes {
				for _, action := range n.Actions {
					q := LegalQuestion{Who: who, What: what, Purpose: purpose, Action: action, Regime: regime, Line: n.line}
					question, record := maps.Clone(doc.Who[who]), maps.Clone(doc.What[what])
					merge(question, map[string]any{"purpose": purpose, "action": action})
					merge(question, n.Question)
					merge(record, n.Record)
					e := entry{Name: n.ID, given: given{Now: n.Now, Consents: n.Consents, Stated: n.Stated, Hjemler: n.Hjemler, Record: record, Question: question}}
					built, err := e.build(doc.Given)
					if err == nil {
						err = named(doc.World, built)
					}
					if err != nil {
						return nil, fmt.Errorf("line %d: %s: %w", n.line, n.ID, err)
					}
					if built.Record.Custodian == built.Question.Party {
						continue // its own: nothing crosses
					}
					built.Expect.Refused = n.Refused
					q.Case = built
					out = append(out, q)
				}
			}
		}
	}
	return out, nil
}

// named refuses a party that the world does not have.
func named(w World, c Case) error {
	for element, name := range map[string]string{"record.custodian": c.Record.Custodian, "question.party": c.Question.Party} {
		if _, ok := w.Party(name); !ok {
			return fmt.Errorf("%s: there is no party %q in the file's world", element, name)
		}
	}
	for i, consent := range c.Consents {
		if _, ok := w.Party(consent.Registrar); !ok {
			return fmt.Errorf("consents[%d].by: there is no party %q in the file's world", i, consent.Registrar)
		}
	}
	return nil
}

// mark says of the questions that a row lists that they cross; a row that lists none is a fault.
func (n crossingNote) mark(questions []LegalQuestion, regime Regime) error {
	if n.Law == "" || !slices.Contains(duties, n.Duty) {
		return fmt.Errorf("line %d: law and duty (%s) are to be told of what crosses", n.line, strings.Join(duties, ", "))
	}
	has := func(list many, v string) bool { return len(list) == 0 || slices.Contains(list, v) }
	marked := 0
	for i := range questions {
		q := &questions[i]
		if !has(n.Who, q.Who) || !has(n.What, q.What) || !has(n.Purpose, q.Purpose) || !has(n.Action, q.Action) {
			continue
		}
		if q.Listed {
			return fmt.Errorf("line %d: %s × %s × %s, %s is listed at line %d too", n.line, q.Who, q.What, q.Purpose, q.Action, q.Line)
		}
		q.Listed, q.Law, q.Duty, q.Line = true, n.Law, n.Duty, n.line
		q.Case.Expect.Crosses = true
		marked++
	}
	if marked == 0 {
		return fmt.Errorf("line %d: nothing that the case asks under %s is listed here", n.line, regime)
	}
	return n.all(questions)
}

// all refuses a value in a row that the case does not ask for.
func (n crossingNote) all(questions []LegalQuestion) error {
	for _, list := range []struct {
		element string
		values  many
		of      func(LegalQuestion) string
	}{
		{"who", n.Who, func(q LegalQuestion) string { return q.Who }}, {"what", n.What, func(q LegalQuestion) string { return q.What }},
		{"purpose", n.Purpose, func(q LegalQuestion) string { return q.Purpose }}, {"action", n.Action, func(q LegalQuestion) string { return q.Action }},
	} {
		for _, v := range list.values {
			if !slices.ContainsFunc(questions, func(q LegalQuestion) bool { return list.of(q) == v }) {
				return fmt.Errorf("line %d: %s: the case does not ask for %q", n.line, list.element, v)
			}
		}
	}
	return nil
}

// fieldsOf lists the names that a struct has in YAML.
func fieldsOf(v any) (names []string) {
	t := reflect.TypeOf(v).Elem()
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ","); name != "" {
			names = append(names, name)
		}
	}
	return names
}
