package fhir

import "sort"

// enabled reports whether an item is to be answered at its place in v, by its own enableWhen. What holds it
// was judged before. The conditions are all needed unless enableBehavior says any.
func (a *answers) enabled(q *question, items []*Value, v *Value) bool {
	conditions := q.item.Get("enableWhen").Items()
	if len(conditions) == 0 {
		return true
	}
	at := v
	if len(items) > 0 {
		at = items[0]
	}
	all := q.item.Get("enableBehavior").Text() != "any"
	for _, condition := range conditions {
		if a.met(condition, at, v) != all {
			return !all
		}
	}
	return all
}

// met evaluates one condition at a place (R4 valueset-questionnaire-enable-operator.html): an answer
// of several is enough, but for !=, which asks that none is equal.
func (a *answers) met(condition, at, inside *Value) bool {
	given := a.nearest(condition.Get("question").Text(), at, inside).Get("answer").Items()
	operator := condition.Get("operator").Text()
	want, typ := choiceOf(condition, "answer")
	if operator == "exists" {
		some := false
		for _, answer := range given {
			value, _ := choiceOf(answer, "value")
			some = some || value != nil
		}
		return some == (want.Text() == "true")
	}
	for _, answer := range given {
		value, valueType := choiceOf(answer, "value")
		if value == nil {
			continue
		}
		holds := answerHolds(operator, value, valueType, want, typ)
		if operator == "!=" {
			if !holds {
				return false
			}
		} else if holds {
			return true
		}
	}
	return operator == "!="
}

// answerHolds compares one answer with that of a condition. What has no order, or cannot be compared, holds for
// no operator but !=.
func answerHolds(operator string, value *Value, typ string, want *Value, wanted string) bool {
	numeric := func(t string) bool { return t == "integer" || t == "decimal" }
	equal, order, ordered := false, 0, false
	switch {
	case typ != wanted && !(numeric(typ) && numeric(wanted)) && !(typ == "uri" && wanted == "string"):
	case typ == "Coding":
		equal = value.Get("code").Text() == want.Get("code").Text() && value.Get("system").Text() == want.Get("system").Text()
	case typ == "Reference":
		equal = value.Get("reference").Text() == want.Get("reference").Text()
	case typ == "Quantity":
		if value.Get("code").Text() == want.Get("code").Text() && value.Get("unit").Text() == want.Get("unit").Text() {
			order, ordered = compareAnswers(value.Get("value"), want.Get("value"), "decimal")
			equal = ordered && order == 0
		}
	case typ == "boolean" || typ == "string" || typ == "uri":
		equal = value.Text() == want.Text()
	default:
		order, ordered = compareAnswers(value, want, typ)
		equal = ordered && order == 0
	}
	switch operator {
	case "=":
		return equal
	case "!=":
		return !equal
	case ">":
		return ordered && order > 0
	case "<":
		return ordered && order < 0
	case ">=":
		return ordered && order >= 0
	case "<=":
		return ordered && order <= 0
	}
	return false
}

// nearest finds the item that a condition asks about: of several with that linkId the one nearest by ancestors,
// then among what comes before, then after (R4 Questionnaire.item.enableWhen.question). An item of a group that
// repeats is looked for in the same occurrence of the group: what another one says counts for that one.
func (a *answers) nearest(link string, at, inside *Value) *Value {
	list := a.given[link]
	for holder := inside; holder != nil && len(list) > 0; holder = holder.parent {
		if holder.kind != Object {
			continue
		}
		if holder.Get("linkId").Text() == link {
			return holder
		}
		from := sort.Search(len(list), func(i int) bool { return list[i].start >= holder.start })
		to := sort.Search(len(list), func(i int) bool { return list[i].start >= holder.end })
		if from == to {
			if a.holds(holder.Get("linkId").Text(), link) {
				return nil
			}
			continue
		}
		position := at.start
		if at == inside {
			position = at.end // the item is not there: everything comes before it
		}
		k := sort.Search(to-from, func(i int) bool { return list[from+i].start >= position }) + from
		if k > from {
			return list[k-1]
		}
		return list[from]
	}
	return nil
}

// holds reports whether an item of the Questionnaire stands inside another.
func (a *answers) holds(outer, inner string) bool {
	q := a.questions[inner]
	for q != nil && outer != "" {
		if q = q.parent; q != nil && q.link == outer {
			return true
		}
	}
	return false
}
