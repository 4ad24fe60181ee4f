package rest

import (
	"net/http"
	"slices"

	"github.com/sluse/sluse/gateway"
)

const subscriptionDocs = "https://hl7.org/fhir/uv/subscriptions-backport/"

// subscriptionOffers describe the operations of Subscription.
var subscriptionOffers = []notice{
	subscriptionOffer(http.MethodGet, "/Subscription/$status", "subscriptions-status-get"),
	subscriptionOffer(http.MethodPost, "/Subscription/$status", "subscriptions-status-post"),
	subscriptionOffer(http.MethodGet, "/Subscription/{id}/$status", "subscription-status-get"),
	subscriptionOffer(http.MethodPost, "/Subscription/{id}/$status", "subscription-status-post"),
	subscriptionOffer(http.MethodGet, "/Subscription/{id}/$events", "subscription-events-get"),
	subscriptionOffer(http.MethodPost, "/Subscription/{id}/$events", "subscription-events-post"),
}

func subscriptionOffer(method, path, id string) notice {
	n := notice{
		method: method, path: root + path, id: id, summary: "How the subscriptions of the party are", docs: subscriptionDocs, tag: "Subscription",
		text:    "Parameters: id and status, each with alternatives; only without an id in the path.",
		answers: []promise{{status: 200, text: "A SubscriptionStatus, in R4 a Parameters, for each.", body: "Bundle"}},
		refuses: append(slices.Clone(readRefusals), gateway.BadQuery),
	}
	switch id {
	case "subscription-events-get", "subscription-events-post":
		n.summary, n.text = "Events that a subscription has numbered", "Parameters: eventsSinceNumber, eventsUntilNumber, content. Each event is decided anew; at most 100 are given, the first."
		n.answers[0].text = "A notification of type query-event."
	case "subscription-status-get", "subscription-status-post":
		n.summary, n.text = "How a subscription is", ""
	}
	if method == http.MethodPost {
		n.takes = "Parameters"
	}
	return n
}
