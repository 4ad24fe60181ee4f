package fhir

import (
	"slices"
	"strings"
)

// CheckAnswers checks a QuestionnaireResponse against its Questionnaire (R4 questionnaireresponse.html,
// questionnaire.html): that each item is there, at its place and in its order; the type, number, length and
// range of answers; answer options and value sets, contained or known here; what must be answered and
// what must not, by enableWhen. What is required counts for responses that are completed or amended,
// and inside a group only when the group is there. Both are taken to be valid R4 by themselves
// (Validate). Severity is error but for what the Questionnaire leaves open; places are in the response,
// and no answer is repeated. At most 100 findings.
func CheckAnswers(questionnaire, response *Resource) []Issue {
	a := &answers{c: &checker{tables: tables()}, form: questionnaire.root, root: response.root, questions: map[string]*question{}, given: map[string][]*Value{}}
	a.final = codeIs(response.root, "status", "completed", "amended")
	a.head()
	top := a.read(questionnaire.root, nil)
	a.collect(response.root)
	a.level(nil, top, response.root)
	return a.c.issues
}

// answers is one check.
type answers struct {
	c         *checker
	form      *Value
	root      *Value
	final     bool // nothing more will be answered
	questions map[string]*question
	given     map[string][]*Value // items of the response by linkId, in the order of the document
	sets      map[string]*codeSet // of the Questionnaire's contained and named value sets; nil: not known
}

// question is one item of the Questionnaire.
type question struct {
	item     *Value
	link     string
	kind     string
	parent   *question
	order    int
	required bool
	repeats  bool
	items    []*question
}

// asked reports whether the item has answers.
func (q *question) asked() bool { return q.kind != "group" && q.kind != "display" }

// head checks that the response names this Questionnaire, and is about what it is made for.
func (a *answers) head() {
	if named := a.root.member("questionnaire"); named != nil {
		url, version, pinned := strings.Cut(named.text, "|")
		version, _, _ = strings.Cut(version, "#")
		own, ownVersion := a.form.Get("url").Text(), a.form.Get("version").Text()
		relative := strings.HasPrefix(url, "Questionnaire/") && strings.HasSuffix(own, "/"+url) || strings.HasPrefix(url, "#")
		if own != "" && url != own && !relative || pinned && ownVersion != "" && version != ownVersion {
			a.c.add(named, CodeAnswersOtherForm, IssueInvalid)
		}
	}
	allowed := a.form.Get("subjectType").Items()
	if ref, ok := parseReference(a.root.Get("subject", "reference").Text()); ok && len(allowed) > 0 {
		var names []string
		for _, t := range allowed {
			names = append(names, t.Text())
		}
		if !slices.Contains(names, string(ref.Type)) {
			a.c.add(a.root.Get("subject", "reference"), CodeAnswersSubject, IssueValue, safeName(string(ref.Type)), strings.Join(names, ", "))
		}
	}
}

// read makes the questions below a Questionnaire or an item of it.
func (a *answers) read(v *Value, parent *question) []*question {
	var list []*question
	for _, item := range v.Get("item").Items() {
		q := &question{
			item: item, link: item.Get("linkId").Text(), kind: item.Get("type").Text(), parent: parent, order: len(list),
			required: item.Get("required").Text() == "true", repeats: item.Get("repeats").Text() == "true",
		}
		list = append(list, q)
		if a.questions[q.link] == nil {
			a.questions[q.link] = q
		}
		q.items = a.read(item, q)
	}
	return list
}

// collect lists the items of the response by linkId.
func (a *answers) collect(v *Value) {
	for _, item := range v.Get("item").Items() {
		link := item.Get("linkId").Text()
		a.given[link] = append(a.given[link], item)
		a.collect(item)
		for _, answer := range item.Get("answer").Items() {
			a.collect(answer)
		}
	}
}

// level checks the items of one object against the list of a parent: of the response, an item or an
// answer. At the top the parent is nil.
func (a *answers) level(parent *question, list []*question, v *Value) {
	items := v.Get("item").Items()
	found := make(map[*question][]*Value, len(list))
	last := -1
	for _, item := range items {
		q := a.questions[item.Get("linkId").Text()]
		switch {
		case q == nil:
			a.c.add(item.Get("linkId"), CodeAnswersUnknownItem, IssueStructure)
			continue
		case q.parent != parent:
			a.c.add(item, CodeAnswersNesting, IssueStructure)
			continue
		}
		if q.order < last {
			a.c.find(item, SeverityWarning, CodeAnswersOrder, IssueStructure)
		}
		last = max(last, q.order)
		found[q] = append(found[q], item)
	}
	for _, q := range list {
		a.question(q, found[q], v)
	}
}

// question checks the occurrences of one item inside v.
func (a *answers) question(q *question, items []*Value, v *Value) {
	if !a.enabled(q, items, v) {
		for _, item := range items {
			a.c.add(item, CodeAnswersDisabled, IssueBusinessRule)
		}
		return
	}
	for _, item := range items[min(1, len(items)):] {
		if q.kind != "group" || !q.repeats {
			a.c.add(item, CodeAnswersTwice, IssueStructure)
		}
	}
	count := 0
	for _, item := range items {
		answered := item.Get("answer").Items()
		switch {
		case !q.asked():
			count++
			if len(answered) > 0 {
				a.c.add(item.Get("answer"), CodeAnswersNoAnswer, IssueStructure, q.kind)
			}
		default:
			count += len(answered)
			a.answered(q, item)
		}
		if len(answered) == 0 {
			a.level(q, q.items, item)
		}
		for _, answer := range answered {
			a.level(q, q.items, answer)
		}
	}
	least, most := extensionInt(q.item, extMinOccurs), extensionInt(q.item, extMaxOccurs)
	if q.required && q.kind != "display" && count == 0 && a.final {
		a.c.addRequired(v, items, q.link)
		return
	}
	if len(items) == 0 {
		return
	}
	at := items[len(items)-1]
	switch {
	case a.final && least > 0 && count < least:
		a.c.add(at, CodeAnswersFew, IssueRequired, itoa(least))
	case most > 0 && count > most:
		a.c.add(at, CodeAnswersRepeats, IssueStructure, itoa(most))
	case q.asked() && !q.repeats && count > 1 && len(items) == 1:
		a.c.add(at.Get("answer"), CodeAnswersRepeats, IssueStructure, "1")
	}
}

// addRequired records a question without an answer: at its item, or at what lacks the item. The name
// is the linkId, which is the Questionnaire's.
func (c *checker) addRequired(v *Value, items []*Value, link string) {
	if len(items) > 0 {
		c.addChild(items[0], "answer", CodeAnswersRequired, link)
		return
	}
	c.addChild(v, "item", CodeAnswersRequired, link)
}

// answered checks the answers of one item of a question.
func (a *answers) answered(q *question, item *Value) {
	list := item.Get("answer").Items()
	for _, answer := range list {
		value, typ := choiceOf(answer, "value")
		if value == nil {
			continue
		}
		allowed := q.allowed()
		if !slices.Contains(allowed, typ) {
			a.c.add(value, CodeAnswersType, IssueValue, typ, strings.Join(allowed, ", "))
			continue
		}
		if q.free(typ) || a.option(q, value, typ) {
			a.bounds(q, value, typ)
		}
	}
	if len(list) < 2 {
		return
	}
	for _, answer := range list {
		value, typ := choiceOf(answer, "value")
		for _, o := range q.item.Get("answerOption").Items() {
			if extensionOf(o, extExclusive).Get("valueBoolean").Text() == "true" && sameOption(o, value, typ) {
				a.c.add(value, CodeAnswersExclusive, IssueBusinessRule)
			}
		}
	}
}

// answerTypes are the types of value[x] that each type of question takes (R4 valueset-item-type.html).
var answerTypes = map[string][]string{
	"boolean": {"boolean"}, "decimal": {"decimal"}, "integer": {"integer"}, "date": {"date"}, "dateTime": {"dateTime"}, "time": {"time"},
	"string": {"string"}, "text": {"string"}, "url": {"uri"}, "choice": {"Coding"}, "open-choice": {"Coding", "string"},
	"attachment": {"Attachment"}, "reference": {"Reference"}, "quantity": {"Quantity"}, "question": {},
}

// allowed gives the types that an answer may have: those of the question, and of its options.
func (q *question) allowed() []string {
	allowed := answerTypes[q.kind]
	if q.kind != "choice" && q.kind != "open-choice" {
		return allowed
	}
	for i, o := range q.item.Get("answerOption").Items() {
		_, typ := choiceOf(o, "value")
		if i == 0 && q.kind == "choice" {
			allowed = nil
		}
		if typ != "" && !slices.Contains(allowed, typ) {
			allowed = append(slices.Clip(allowed), typ)
		}
	}
	return allowed
}

// free reports whether an answer of a type need not be among the options.
func (q *question) free(typ string) bool { return q.kind == "open-choice" && typ == "string" }

// option reports whether an answer is among the options, where there are any, and says so when not.
func (a *answers) option(q *question, value *Value, typ string) bool {
	if options := q.item.Get("answerOption").Items(); len(options) > 0 {
		if slices.ContainsFunc(options, func(o *Value) bool { return sameOption(o, value, typ) }) {
			return true
		}
		a.c.add(value, CodeAnswersOption, IssueCodeInvalid)
		return false
	}
	named := q.item.Get("answerValueSet").Text()
	if named == "" {
		return true
	}
	set := a.set(named)
	switch {
	case set == nil || set.open:
		a.c.find(value, SeverityWarning, CodeAnswersValueSet, IssueNotFound)
	case typ == "Coding" && !set.has(value) || typ != "Coding" && !set.codes[value.Text()]:
		a.c.add(value, CodeAnswersOption, IssueCodeInvalid)
		return false
	}
	return true
}

// set finds a value set: contained in the Questionnaire, ours, or R4's.
func (a *answers) set(canonical string) *codeSet {
	if set, ok := a.sets[canonical]; ok {
		return set
	}
	set := knownSet(canonical)
	if id, ok := strings.CutPrefix(canonical, "#"); ok {
		for _, r := range a.form.Get("contained").Items() {
			if r.Get("id").Text() == id && r.Get("resourceType").Text() == "ValueSet" {
				set = newCodeSet(r)
			}
		}
	}
	if a.sets == nil {
		a.sets = map[string]*codeSet{}
	}
	a.sets[canonical] = set
	return set
}

// sameOption reports whether an answer is the value of an answerOption: a Coding by system and code.
func sameOption(option, value *Value, typ string) bool {
	want, wanted := choiceOf(option, "value")
	if want == nil || value == nil || wanted != typ {
		return false
	}
	switch typ {
	case "Coding":
		return want.Get("system").Text() == value.Get("system").Text() && want.Get("code").Text() == value.Get("code").Text()
	case "Reference":
		return want.Get("reference").Text() == value.Get("reference").Text()
	case "integer", "decimal":
		return compareDecimal(want.text, value.text) == 0
	}
	return want.Text() == value.Text()
}

// choiceOf gives the value of a choice element and the type that its name tells.
func choiceOf(v *Value, base string) (*Value, string) {
	n := node{name: base, choice: true}
	for _, m := range v.Members() {
		if typ, ok := n.names(m.Name); ok {
			return m.Value, typ
		}
	}
	return nil, ""
}
