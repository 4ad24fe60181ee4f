package gateway

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sluse/sluse/gateway/fhir"
)

// topicBase begins the canonical URL of every topic.
const topicBase = "http://sluse.no/fhir/SubscriptionTopic/"

// The topics (backport IG; R4 has no resource for them).
const (
	ReferralTopic   = topicBase + "henvisning-til-meg" // a ServiceRequest, or a Task about one, is addressed to the subscriber
	TaskTopic       = topicBase + "oppgave-endret"     // a Task has changed
	PlanTopic       = topicBase + "plan-endret"        // a CarePlan has changed
	WithdrawalTopic = topicBase + "samtykke-trukket"   // a Consent no longer holds
)

// Topics lists the canonical URLs, in the order of the CapabilityStatement.
func Topics() []string { return []string{ReferralTopic, TaskTopic, PlanTopic, WithdrawalTopic} }

var topicTypes = map[string][]fhir.Type{
	ReferralTopic: {"ServiceRequest", "Task"}, TaskTopic: {"Task"}, PlanTopic: {"CarePlan"}, WithdrawalTopic: {"Consent"},
}

// filterable are the search parameters that a criteria may name: tokens and references.
var filterable = map[fhir.Type][]string{
	"ServiceRequest": {"category", "code", "identifier", "intent", "patient", "performer", "priority", "requester", "status", "subject"},
	"Task":           {"based-on", "business-status", "code", "focus", "identifier", "intent", "owner", "patient", "priority", "requester", "status", "subject"},
	"CarePlan":       {"category", "identifier", "intent", "patient", "status", "subject"},
	"Consent":        {"category", "identifier", "patient", "status"},
}

// FilterableBy lists the search parameters by which subscriptions to a type may be narrowed; none for
// a type that nobody can subscribe to.
func FilterableBy(t fhir.Type) []string { return slices.Clone(filterable[t]) }

// criteria reads what the subscriber wants to be told of: a topic with filters, or a query.
func (g *Gateway) criteria(w *wanted, root *fhir.Value) error {
	const place = "Subscription.criteria"
	text := root.Get("criteria").Text()
	types, known := topicTypes[text]
	switch {
	case known:
		w.Topic, w.Types = text, types
		for _, e := range root.Get("_criteria", "extension").Items() {
			if e.Get("url").Text() == filterExtension {
				w.Filters = append(w.Filters, e.Get("valueString").Text())
			}
		}
	case strings.Contains(text, "://"):
		return refuseSubscription("subscription.topic", place)
	case w.Content == PayloadIDOnly: // R4 knows a notification with the resource and one without
		return refuseSubscription("subscription.content", "Subscription.channel.payload.extension")
	default:
		w.Filters, w.Types = []string{text}, []fhir.Type{criteriaType(text)}
	}
	if len(w.Filters) > mostFilters {
		return refuseSubscription("subscription.criteria", place)
	}
	for _, f := range w.Filters {
		if !slices.Contains(w.Types, criteriaType(f)) {
			return refuseSubscription("subscription.criteria", place)
		}
		if _, issues := g.filter(f); len(issues) > 0 {
			return Fault("gateway.subscription", Invalid, issues...)
		}
	}
	return nil
}

func criteriaType(text string) fhir.Type {
	name, _, _ := strings.Cut(text, "?")
	return fhir.Type(name)
}

// filter is one query of a subscription, read.
type filter struct {
	kind     fhir.Type
	criteria []fhir.Criterion
}

// filter reads "Task?status=requested". Every issue stands at Subscription.criteria.
func (g *Gateway) filter(text string) (filter, []fhir.Issue) {
	wrong := func(code string) []fhir.Issue {
		return []fhir.Issue{{Severity: "error", Type: "not-supported", Code: code, Expression: "Subscription.criteria"}}
	}
	f := filter{kind: criteriaType(text)}
	allowed := filterable[f.kind]
	if allowed == nil {
		return f, wrong("subscription.criteria")
	}
	_, query, _ := strings.Cut(text, "?")
	var params []fhir.Parameter
	for _, pair := range strings.Split(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		plain, errName := url.QueryUnescape(name)
		decoded, errValue := url.QueryUnescape(value)
		if errName != nil || errValue != nil {
			return f, wrong("subscription.criteria")
		}
		if pair == "" {
			continue
		}
		if !slices.Contains(allowed, plain) {
			return f, wrong("subscription.filter")
		}
		params = append(params, fhir.Parameter{Name: plain, Value: decoded})
	}
	q, _, err := fhir.ParseQuery(f.kind, params, fhir.QueryConfig{Base: g.Notices.Base, Now: g.Clock()})
	if err != nil {
		return f, wrong("subscription.criteria")
	}
	for _, c := range q.Criteria {
		if len(c.Ways) != 1 || len(c.Ways[0].Hops) > 0 || c.Modifier != fhir.ModifierNone || c.Missing != "" {
			return f, wrong("subscription.filter")
		}
	}
	f.criteria = q.Criteria
	return f, nil
}

// subject is what a criterion about a patient means to the subscriber: the person of its own Patient.
type subjects map[fhir.Reference]PersonID

// seen is a version that a subscriber may be told of, as its filters see it.
type seen struct {
	record   Record
	covered  Labels
	values   []fhir.IndexValue
	subjects subjects
}

func newSeen(r Record, covered Labels, res *fhir.Resource, known subjects) seen {
	values := fhir.Index(res)
	parts := make([]fhir.Part, len(r.Parts))
	for i, p := range r.Parts {
		parts[i] = fhir.Part{Path: p.Path, Mask: uint64(p.Labels)}
	}
	fhir.MarkParts(res, values, parts)
	return seen{record: r, covered: covered, values: values, subjects: known}
}

// fits tells whether every criterion holds. Values in parts that are not covered hold of nothing.
func (s seen) fits(f filter) bool {
	return !slices.ContainsFunc(f.criteria, func(c fhir.Criterion) bool { return !s.holds(c) })
}

func (s seen) holds(c fhir.Criterion) bool {
	param := c.Ways[0].Param
	return slices.ContainsFunc(c.Values, func(o fhir.Operand) bool {
		if param.Name == "patient" || param.Name == "subject" {
			if person := s.subjects[patientOf(o)]; person > 0 && person == s.record.Person {
				return true
			}
		}
		return slices.ContainsFunc(s.values, func(v fhir.IndexValue) bool {
			return v.Form == fhir.PlainForm && v.Bits>>param.Ordinal&1 == 1 && slices.Contains(param.Keys, v.Key) &&
				v.Mask&^uint64(s.covered) == 0 && equals(param, v, o)
		})
	})
}

func patientOf(o fhir.Operand) fhir.Reference {
	r := fhir.Reference{Type: o.Reference.Type, ID: o.Reference.ID}
	if r.Type == "" {
		r.Type = "Patient"
	}
	return r
}

func equals(param *fhir.SearchParameter, v fhir.IndexValue, o fhir.Operand) bool {
	switch param.Type {
	case fhir.Token:
		return (o.AnySystem || o.System == v.System) && (o.Code == "" && !o.AnySystem || o.Code == v.Code)
	case fhir.ReferenceParam:
		if o.URL != "" {
			return v.Code == o.URL
		}
		if o.Reference.Type != "" {
			return v.Code == string(o.Reference.Type)+"/"+string(o.Reference.ID)
		}
		_, id, ok := strings.Cut(v.Code, "/")
		return ok && id == string(o.Reference.ID)
	}
	return false
}

// addressed tells whether a ServiceRequest, or a Task about one, is for the party.
func addressedTo(dir Directory, party HERID, res *fhir.Resource) bool {
	mine := func(v *fhir.Value) bool {
		a, ok := addressed(dir, v.Get("reference").Text())
		return ok && a.Party == party
	}
	root := res.Root()
	if res.Type() == "Task" {
		return mine(root.Get("owner")) && strings.HasPrefix(root.Get("focus", "reference").Text(), "ServiceRequest/")
	}
	return slices.ContainsFunc(root.Get("performer").Items(), mine)
}

func eventNumber(n int64) string { return strconv.FormatInt(n, 10) }
