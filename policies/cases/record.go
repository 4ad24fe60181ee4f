package cases

import (
	"fmt"
	"strings"
)

func buildRecord(m map[string]any) (Record, error) {
	r := Record{Person: true}
	for k, v := range m {
		var err error
		switch k {
		case "type":
			r.Type, err = text(v)
		case "id":
			r.ID, err = text(v)
		case "context":
			r.Context, err = text(v)
		case "custodian":
			r.Custodian, err = text(v)
		case "person":
			r.Person, err = boolean(v)
		case "other":
			r.Other, err = boolean(v)
		case "withheld":
			r.Withheld, err = text(v)
		case "labels":
			r.Labels, err = texts(v)
		case "fetched":
			r.Fetched, err = texts(v)
		case "date":
			if v != nil {
				r.Low, r.High, err = days(v)
			}
		case "parts":
			err = each(v, func(name string, labels []string) {
				r.Parts = append(r.Parts, Part{Path: name, Labels: labels})
			})
		case "sent":
			err = each(v, func(name string, labels []string) {
				to, message, _ := strings.Cut(name, " ")
				r.Sent = append(r.Sent, Sent{To: to, Message: message, Labels: labels})
			})
		default:
			err = fmt.Errorf("unknown")
		}
		if err != nil {
			return r, fmt.Errorf("record.%s: %w", k, err)
		}
	}
	return r, nil
}

func buildQuestion(m map[string]any) (Question, error) {
	q := Question{Action: "read", Attest: true}
	for k, v := range m {
		var err error
		switch k {
		case "party":
			q.Party, err = text(v)
		case "unit":
			q.Unit, err = text(v)
		case "practitioner":
			q.Practitioner, err = text(v)
		case "role":
			q.Role, err = text(v)
		case "purpose":
			q.Purpose, err = text(v)
		case "action":
			q.Action, err = text(v)
		case "attest":
			q.Attest, err = boolean(v)
		case "message":
			q.Message, err = text(v)
		case "kind":
			q.Kind, err = text(v)
		case "emergency":
			q.Emergency, err = boolean(v)
		default:
			err = fmt.Errorf("unknown")
		}
		if err != nil {
			return q, fmt.Errorf("question.%s: %w", k, err)
		}
	}
	return q, nil
}

func text(v any) (string, error) {
	if v == nil {
		return "", nil
	}
	s, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("want a string, have %T", v)
	}
	return s, nil
}

func boolean(v any) (bool, error) {
	b, ok := v.(bool)
	if !ok {
		return false, fmt.Errorf("want true or false, have %T", v)
	}
	return b, nil
}

func texts(v any) ([]string, error) {
	list, ok := v.([]any)
	if !ok {
		if v == nil {
			return nil, nil
		}
		return nil, fmt.Errorf("want a list, have %T", v)
	}
	out := []string{}
	for _, e := range list {
		s, err := text(e)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// each reads a list of one-element maps: `- CarePlan.activity[0]: [bolig]`.
func each(v any, add func(name string, labels []string)) error {
	list, ok := v.([]any)
	if !ok && v != nil {
		return fmt.Errorf("want a list, have %T", v)
	}
	for _, e := range list {
		m, ok := e.(map[string]any)
		if !ok || len(m) != 1 {
			return fmt.Errorf("want name: [labels]")
		}
		for name, labels := range m {
			l, err := texts(labels)
			if err != nil {
				return err
			}
			add(name, l)
		}
	}
	return nil
}
