package rest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	r4 "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// subscriptionDoors are the operations of Subscription (Subscriptions R5 Backport IG for R4).
var subscriptionDoors = []door{
	{http.MethodGet, "/$status", (*api).subscriptionStatus}, {http.MethodPost, "/$status", (*api).subscriptionStatus},
	{http.MethodGet, "/:id/$status", (*api).subscriptionStatus}, {http.MethodPost, "/:id/$status", (*api).subscriptionStatus},
	{http.MethodGet, "/:id/$events", (*api).subscriptionEvents}, {http.MethodPost, "/:id/$events", (*api).subscriptionEvents},
}

// subscriptionOperations are what the CapabilityStatement calls them.
var subscriptionOperations = []struct{ name, definition string }{
	{"status", "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-status"},
	{"events", "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-events"},
}

// topicURL is the extension by which a server of R4 names its topics.
const topicURL = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/capabilitystatement-subscriptiontopic-canonical"

// subscriptionNotes are what a client must know of subscriptions, one line each.
var subscriptionNotes = []string{
	"Subscription: channel rest-hook only, to endpoints that an administrator has allowed (https, no user, query or fragment; redirects are not followed). The criteria is the canonical URL of a topic, narrowed by backport-filter-criteria, or a query on ServiceRequest, Task, CarePlan or Consent. Filters are tokens and references without modifiers: " + filterNote() + ". Filters of one type must all hold.",
	"Subscription.channel.header is never given back, in any version: it is kept sealed and left out of the stored resource. A Subscription that is written without it keeps it as long as the endpoint is the same.",
	"A client writes Subscription.status requested (again, to go on after error) or off; the server answers requested with a handshake, and sets active or error. Each change is decided at delivery: what may not be told of is no event and has no number. Numbers have no gaps; an event that was not confirmed is sent again under its number, and keeps nothing but its number when it may no longer be told of.",
	"A notification of content full-resource holds a resource only where a read of it is allowed as well; an R4 Subscription with a query and a payload is notified by PUT [endpoint]/[type]/[id] of what may be read, one at a time, and not of what is deleted; without a payload by an empty POST.",
	"A system without a person keeps its party's subscriptions (create, read, update, patch, delete, $status, $events; a search finds them for persons only), of content empty or id-only: it is told of its party's own records, and of what a samtykke allows the party to be notified of.",
	"Of a Consent of another party that ends, a party that one of its permits named is told by reference, with its own Patient as additional-context (topic samtykke-trukket, without filters).",
}

func filterNote() string {
	var notes []string
	for _, t := range []fhir.Type{"ServiceRequest", "Task", "CarePlan", "Consent"} {
		notes = append(notes, string(t)+" "+strings.Join(gateway.FilterableBy(t), " "))
	}
	return strings.Join(notes, "; ")
}

// subscriptionCapability adds topics and operations.
func subscriptionCapability(one *r4.CapabilityStatementRestResource) {
	one.Documentation = ptr(strings.Join(subscriptionNotes, "\n"))
	for _, topic := range gateway.Topics() {
		one.Extension = append(one.Extension, r4.Extension{Url: topicURL, ValueCanonical: ptr(topic)})
	}
	for _, o := range subscriptionOperations {
		one.Operation = append(one.Operation, r4.CapabilityStatementRestResourceOperation{Name: o.name, Definition: o.definition})
	}
}

// inputs are the parameters of an operation: of the URL for GET, of a Parameters resource for POST.
func (a *api) inputs(r *request, known ...string) (map[string][]string, error) {
	params, err := split(nil, r.http.URL.RawQuery, true)
	if err != nil {
		return nil, err
	}
	if r.http.Method == http.MethodPost && r.http.ContentLength != 0 {
		body, err := a.resource(r)
		if err != nil {
			return nil, err
		}
		if body.Type() != "Parameters" {
			return nil, fault(gateway.Malformed, "http.type-differs", string(body.Type()))
		}
		for _, p := range body.Root().Get("parameter").Items() {
			one := parameter{name: p.Get("name").Text()}
			for _, m := range p.Members() {
				if strings.HasPrefix(m.Name, "value") {
					one.value = m.Value.Text()
				}
			}
			params = append(params, one)
		}
	}
	out := make(map[string][]string)
	for _, p := range params {
		if p.modifier != "" || !slices.Contains(known, p.name) {
			return nil, gateway.Fault("rest.operation", gateway.BadQuery, p.issue("search.parameter-unknown"))
		}
		out[p.name] = append(out[p.name], p.value)
	}
	return out, nil
}

// subscriptionStatus is $status, of one Subscription or of those of the party.
func (a *api) subscriptionStatus(r *request) (answer, error) {
	known := []string{"id", "status"}
	if r.target.ID != "" {
		known = nil
	}
	in, err := a.inputs(r, known...)
	if err != nil {
		return answer{}, err
	}
	var ids []fhir.ID
	if r.target.ID != "" {
		ids = []fhir.ID{r.target.ID}
	}
	for _, v := range in["id"] {
		for _, id := range strings.Split(v, ",") {
			if !fhir.ID(id).Valid() {
				return answer{}, gateway.Fault("rest.operation", gateway.BadQuery, parameter{name: "id"}.issue("search.id"))
			}
			ids = append(ids, fhir.ID(id))
		}
	}
	var statuses []gateway.SubscriptionStatus
	for _, v := range in["status"] {
		for _, s := range strings.Split(v, ",") {
			statuses = append(statuses, gateway.SubscriptionStatus(s))
		}
	}
	self := a.Base + "/" + strings.TrimPrefix(r.http.URL.Path, root+"/")
	out, err := a.Gateway.SubscriptionStatus(r.ctx, r.actor, ids, statuses, self)
	return answer{status: http.StatusOK, release: out}, err
}

// subscriptionEvents is $events.
func (a *api) subscriptionEvents(r *request) (answer, error) {
	in, err := a.inputs(r, "eventsSinceNumber", "eventsUntilNumber", "content")
	if err != nil {
		return answer{}, err
	}
	q := gateway.EventsAsked{ID: r.target.ID}
	for name, to := range map[string]*int64{"eventsSinceNumber": &q.From, "eventsUntilNumber": &q.To} {
		if values := in[name]; len(values) > 0 {
			n, err := strconv.ParseInt(values[0], 10, 64)
			if err != nil || n < 0 || len(values) > 1 {
				return answer{}, gateway.Fault("rest.operation", gateway.BadQuery, parameter{name: name}.issue("subscription.number"))
			}
			*to = n
		}
	}
	if values := in["content"]; len(values) > 0 {
		q.Content = gateway.PayloadContent(values[0])
		if len(values) > 1 || !slices.Contains([]gateway.PayloadContent{gateway.PayloadEmpty, gateway.PayloadIDOnly, gateway.PayloadFull}, q.Content) {
			return answer{}, gateway.Fault("rest.operation", gateway.BadQuery, parameter{name: "content"}.issue("subscription.content"))
		}
	}
	out, err := a.Gateway.SubscriptionEvents(r.ctx, r.actor, q)
	return answer{status: http.StatusOK, release: out}, err
}
