package rest

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/sluse/sluse/gateway"
)

const (
	tagSystem   = "system"
	tagMessages = "messages"
	tagDemo     = "demo"
)

// notice is what the description says of a way in beside what the tables of the server say.
type notice struct {
	method, path string // of one that is like no other; as OpenAPI writes it
	id           string // beginning of operationId
	summary      string // {type} stands for the type
	text, docs   string // longer, and where to read on
	tag          string // default: the type
	parameters   []string
	search       bool   // and the search parameters of the type
	takes        string // schema of the body; {type} for a resource of the type, "form" for a search form
	answers      []promise
	refuses      []gateway.Code
	open         bool // needs no token
	doors        bool // several doors of one interaction: the operationId tells them apart
}

// promise is one answer that is no error.
type promise struct {
	status  int
	text    string
	body    string // schema, "" for none
	media   []string
	headers []string
}

// What may be refused: everywhere, of every read, and of every write.
var (
	readRefusals  = []gateway.Code{gateway.NotSupported, gateway.Unauthorized, gateway.Forbidden, gateway.NotFound, gateway.Unavailable, gateway.Internal}
	writeRefusals = append(slices.Clone(readRefusals), gateway.Malformed, gateway.Invalid, gateway.Conflict, gateway.Precondition, gateway.TooLarge, gateway.MediaType)
)

// searchResults are the parameters that say how a search is answered.
var searchResults = []string{"_count", "_sort", "_summary", "_elements", "_total", "_page", "_format", "_pretty", "Prefer"}

// versionHeaders are the header fields of an answer that is one resource.
var versionHeaders = []string{"ETag", "Last-Modified"}

// interactionNotes has a row for every interaction that has a door.
var interactionNotes = map[gateway.InteractionCode]notice{
	gateway.Read: {
		id: "read", summary: "Read a {type}", docs: "https://hl7.org/fhir/R4/http.html#read",
		parameters: []string{"_format", "_pretty", "If-None-Match", "If-Modified-Since"},
		answers: []promise{
			{status: 200, text: "The current version, as far as it is shared with the requester.", body: "{type}", headers: versionHeaders},
			{status: 304, text: "The client has this version.", headers: versionHeaders},
		}, refuses: append(slices.Clone(readRefusals), gateway.Gone),
	},
	gateway.VRead: {
		id: "vread", summary: "Read a version of a {type}", docs: "https://hl7.org/fhir/R4/http.html#vread",
		parameters: []string{"_format", "_pretty"},
		answers:    []promise{{status: 200, text: "The version, if it and the current one are shared with the requester.", body: "{type}", headers: versionHeaders}},
		refuses:    append(slices.Clone(readRefusals), gateway.Gone),
	},
	gateway.Update: {
		id: "update", summary: "Update a {type}, or create it under an id of the client's own", docs: "https://hl7.org/fhir/R4/http.html#update", doors: true,
		text:       "A client chooses an id only with its own HER-id and a hyphen as prefix. Without an id in the path the update is conditional: the query finds the one resource of the requester's own party.",
		parameters: []string{"If-Match", "If-None-Match", "Prefer"}, takes: "{type}",
		answers: []promise{
			{status: 200, text: "Updated.", body: "{type}", headers: slices.Concat(versionHeaders, []string{"Location"})},
			{status: 201, text: "Created.", body: "{type}", headers: slices.Concat(versionHeaders, []string{"Location"})},
		}, refuses: append(slices.Clone(writeRefusals), gateway.Gone),
	},
	gateway.Patch: {
		id: "patch", summary: "Change a part of a {type}", docs: "https://hl7.org/fhir/R4/http.html#patch", doors: true,
		text:       "JSON Patch (RFC 6902) or FHIRPath Patch (Parameters). Without an id in the path the patch is conditional.",
		parameters: []string{"If-Match", "Prefer"}, takes: "patch",
		answers: []promise{{status: 200, text: "Changed.", body: "{type}", headers: slices.Concat(versionHeaders, []string{"Location"})}},
		refuses: append(slices.Clone(writeRefusals), gateway.Gone),
	},
	gateway.Delete: {
		id: "delete", summary: "Delete a {type}", docs: "https://hl7.org/fhir/R4/http.html#delete", doors: true,
		text:       "What is deleted stays deleted. Without an id in the path the delete is conditional: several matches are 412, none is 204.",
		parameters: []string{"If-Match", "Prefer"},
		answers: []promise{
			{status: 200, text: "Deleted, with Prefer: return=OperationOutcome.", body: "OperationOutcome"},
			{status: 204, text: "Deleted, or there was nothing to delete."},
		}, refuses: append(slices.Clone(readRefusals), gateway.Precondition, gateway.Conflict, gateway.Gone),
	},
	gateway.History: {
		id: "history", summary: "The versions of a {type}", docs: "https://hl7.org/fhir/R4/http.html#history",
		parameters: []string{"_since", "_at", "_count", "_page", "_format", "_pretty"},
		answers:    []promise{{status: 200, text: "The versions that the requester may read, newest first.", body: "Bundle"}}, refuses: readRefusals,
	},
	gateway.HistoryType: {
		id: "history-type", summary: "The versions of every {type}", docs: "https://hl7.org/fhir/R4/http.html#history",
		parameters: []string{"_since", "_at", "_count", "_page", "_format", "_pretty"},
		answers:    []promise{{status: 200, text: "The versions that the requester may read, newest first.", body: "Bundle"}}, refuses: readRefusals,
	},
	gateway.HistorySystem: {
		id: "history-system", summary: "The versions of everything", docs: "https://hl7.org/fhir/R4/http.html#history", tag: tagSystem,
		parameters: []string{"_since", "_at", "_count", "_page", "_format", "_pretty"},
		answers:    []promise{{status: 200, text: "The versions that the requester may read, newest first.", body: "Bundle"}}, refuses: readRefusals,
	},
	gateway.Create: {
		id: "create", summary: "Create a {type}", docs: "https://hl7.org/fhir/R4/http.html#create",
		text:       "With If-None-Exist only if the requester's own party has none that matches.",
		parameters: []string{"If-None-Exist", "Prefer"}, takes: "{type}",
		answers: []promise{
			{status: 201, text: "Created.", body: "{type}", headers: slices.Concat(versionHeaders, []string{"Location"})},
			{status: 200, text: "One that matches If-None-Exist is there.", body: "{type}", headers: slices.Concat(versionHeaders, []string{"Location"})},
		}, refuses: writeRefusals,
	},
	gateway.Find: {
		id: "search", summary: "Search for {type}", docs: "https://hl7.org/fhir/R4/search.html", doors: true, search: true,
		text:       "An unknown parameter is refused: a filter that is dropped shows more than was asked for. National identity numbers are taken in the body of POST only.",
		parameters: searchResults,
		answers:    []promise{{status: 200, text: "What is found and shared with the requester.", body: "Bundle"}},
		refuses:    append(slices.Clone(readRefusals), gateway.BadQuery, gateway.TooCostly),
	},
	gateway.FindSystem: {
		id: "search-system", summary: "Search several types", docs: "https://hl7.org/fhir/R4/http.html#search", tag: tagSystem, doors: true, search: true,
		text:       "_type names the types; the other parameters are those that all of them have.",
		parameters: slices.Concat([]string{"_type"}, searchResults),
		answers:    []promise{{status: 200, text: "What is found and shared with the requester, newest first.", body: "Bundle"}},
		refuses:    append(slices.Clone(readRefusals), gateway.BadQuery, gateway.TooCostly),
	},
	gateway.Transaction: {
		id: "bundle", summary: "Perform a batch or a transaction", docs: "https://hl7.org/fhir/R4/http.html#transaction", tag: tagSystem,
		text:       "At most 10 MiB and 1,000 entries. A transaction is done whole or not at all; the outcome names the entry that it failed for.",
		parameters: []string{"Prefer"}, takes: "Bundle",
		answers: []promise{{status: 200, text: "The answer to each entry.", body: "Bundle"}}, refuses: append(slices.Clone(writeRefusals), gateway.Gone),
	},
}

// at fits the note to one of the interaction's doors.
func (n notice) at(method, path string) notice {
	n.method, n.path = method, path
	if n.search && method == http.MethodPost {
		n.takes, n.search = "form", false
	}
	return n
}

// plainNotes are the ways in that belong to no interaction and no operation.
var plainNotes = []notice{
	{
		method: http.MethodGet, path: root + "/metadata", id: "capabilities", summary: "The CapabilityStatement", tag: tagSystem, open: true,
		docs: "https://hl7.org/fhir/R4/http.html#capabilities", parameters: []string{"mode", "_format", "_pretty"},
		answers: []promise{{status: 200, text: "What the server can do, and where it does otherwise than R4.", body: "CapabilityStatement"}}, refuses: []gateway.Code{gateway.NotSupported},
	},
	{
		method: http.MethodGet, path: root + "/Patient/{id}/{kind}", id: "search-compartment", summary: "Search what is about a patient", tag: "Patient",
		docs: "https://hl7.org/fhir/R4/http.html#search", parameters: searchResults,
		text:    "The parameters of the type hold as in a search of that type.",
		answers: []promise{{status: 200, text: "What is found and shared with the requester.", body: "Bundle"}},
		refuses: append(slices.Clone(readRefusals), gateway.BadQuery, gateway.TooCostly),
	},
	{
		method: http.MethodGet, path: openAPIPath, id: "openapi", summary: "This description", tag: tagSystem, open: true,
		answers: []promise{{status: 200, text: "OpenAPI 3.1.", body: "Anything", media: []string{plainJSON}}}, refuses: []gateway.Code{gateway.NotSupported},
	},
	smartNote(smartPath, "smart"), smartNote(root+smartPath, "smart-fhir"),
}

func smartNote(path, id string) notice {
	return notice{
		method: http.MethodGet, path: path, id: id, summary: "Where tokens come from (SMART App Launch)", tag: tagSystem, open: true,
		docs:    "https://hl7.org/fhir/smart-app-launch/conformance.html",
		answers: []promise{{status: 200, text: "The issuer and what its tokens can be.", body: "Anything", media: []string{plainJSON}}}, refuses: []gateway.Code{gateway.NotSupported},
	}
}

var jsonOnly = []string{plainJSON}

// messageNotes are the message API, which stands beside this package.
var messageNotes = []notice{
	messageNote(http.MethodPost, "/edi/Messages", "message-submit", "Hand in a message", promise{status: 201, text: "Kept. One AppRec for each receiver follows in the sender's mailbox. The body is the message's id.", body: "Anything"}),
	messageNote(http.MethodGet, "/edi/Messages", "message-list", "List the mailbox", promise{status: 200, text: "The messages for the HER-ids asked for.", body: "Anything"}),
	messageNote(http.MethodGet, "/edi/Messages/{id}", "message-read", "What is known of a message", promise{status: 200, text: "Its metadata.", body: "Anything"}),
	messageNote(http.MethodGet, "/edi/Messages/{id}/business-document", "message-document", "Fetch the document", promise{status: 200, text: "The document, less what is withheld.", body: "Message"}),
	messageNote(http.MethodGet, "/edi/Messages/{id}/status", "message-status", "How far a message has come", promise{status: 200, text: "The state at each receiver.", body: "Anything"}),
	messageNote(http.MethodGet, "/edi/Messages/{id}/apprec", "message-apprec", "The receipts of a message", promise{status: 200, text: "What each receiver answered.", body: "Anything"}),
	messageNote(http.MethodPost, "/edi/Messages/{id}/apprec/{herId}", "message-receipt", "Give a receipt", promise{status: 201, text: "The receipt is sent. The body is its id.", body: "Anything"}),
	messageNote(http.MethodPut, "/edi/Messages/{id}/read/{herId}", "message-mark", "Mark as read", promise{status: 204, text: "Marked."}),
}

func messageNote(method, path, id, summary string, ok promise) notice {
	if ok.body != "" {
		ok.media = jsonOnly
	}
	n := notice{method: method, path: path, id: id, summary: summary, tag: tagMessages, answers: []promise{ok}, refuses: []gateway.Code{gateway.Unauthorized, gateway.NotFound}}
	switch id {
	case "message-submit":
		n.takes = "Message"
		n.text = "A Hodemelding with PLO, dialogmelding or AppRec, at most 14 MiB. The same message again has one effect and the same receipt; another under its id is 409."
		n.refuses = append(n.refuses, gateway.Malformed, gateway.Conflict, gateway.TooLarge)
	case "message-receipt":
		n.takes = "Anything"
	case "message-list":
		n.parameters = []string{"ReceiverHerIds"}
	}
	return n
}

// demoNotes are the demo's issuer.
var demoNotes = []notice{
	{
		method: http.MethodGet, path: "/demo/personas", id: "personas", summary: "Who there is to be", tag: tagDemo, open: true,
		answers: []promise{{status: 200, text: "The personas.", body: "Anything", media: jsonOnly}},
	},
	{
		method: http.MethodPost, path: "/demo/token", id: "token", summary: "A token for one of them", tag: tagDemo, open: true,
		text:       "Parameters may stand in the URL or in a form; patient, a national identity number, in the form only.",
		parameters: []string{"persona"},
		answers:    []promise{{status: 200, text: "The token.", body: "Anything", media: jsonOnly}},
	},
}

func (n notice) tagOf(kind string) string {
	switch {
	case n.tag != "":
		return n.tag
	case kind != "":
		return kind
	}
	return tagSystem
}

// responses are the answers and refusals of a way in.
func (n notice) responses(kind string) object {
	out := object{}
	for _, a := range n.answers {
		o := object{"description": a.text}
		if a.body != "" {
			media := a.media
			if media == nil {
				media = []string{fhirJSON, fhirXML}
			}
			o["content"] = contentOf(named(a.body, kind), media...)
		}
		if len(a.headers) > 0 {
			headers := object{}
			for _, h := range a.headers {
				headers[h] = ref("headers", h)
			}
			o["headers"] = headers
		}
		out[strconv.Itoa(a.status)] = o
	}
	if strings.HasPrefix(n.path, "/edi/") || n.tag == tagDemo {
		out["4XX"] = object{"description": "Refused: an ErrorMessage.", "content": contentOf("Anything", plainJSON)}
		return out
	}
	statuses := map[int]bool{http.StatusNotAcceptable: true, http.StatusRequestURITooLong: true, http.StatusRequestHeaderFieldsTooLarge: true}
	for _, code := range n.refuses {
		statuses[renderings[code].status] = true
	}
	for _, status := range slices.Sorted(maps.Keys(statuses)) {
		out[strconv.Itoa(status)] = ref("responses", "status-"+strconv.Itoa(status))
	}
	return out
}

// requestBody is the body that a way in takes, nil when none.
func (n notice) requestBody(kind string, form object) object {
	var body object
	switch n.takes {
	case "":
		return nil
	case "form":
		return object{"content": object{formData: object{"schema": form}}, "required": false}
	case "patch":
		body = contentOf("Parameters", fhirJSON, fhirXML)
		body[jsonPatch] = object{"schema": ref("schemas", "JSONPatch")}
	case "Message", "Anything":
		body = contentOf(n.takes, plainJSON)
	default:
		body = contentOf(named(n.takes, kind), fhirJSON, fhirXML)
	}
	return object{"required": true, "content": body}
}

// answerHeaders are the header fields of answers.
var answerHeaders = object{
	"ETag":             headerField(`The version, W/"…"`),
	"Last-Modified":    headerField("When the version was made."),
	"Location":         headerField("The version that was written: [base]/[type]/[id]/_history/[version]"),
	"WWW-Authenticate": headerField("How to authenticate (RFC 6750)."),
	"Retry-After":      headerField("Seconds until it is worth trying again."),
	"Content-Location": headerField("Where the status of the export is."),
	"Expires":          headerField("Until when it is there."),
	"X-Progress":       headerField("The type at work, and how many of the types."),
	"Allow":            headerField("The methods of this path."),
}

func headerField(text string) object {
	return object{"description": text, "schema": object{"type": "string"}}
}

// pathParameters say what stands at a place of a path.
var pathParameters = map[string]string{
	"id":      "Logical id: A–Z, a–z, 0–9, hyphen and dot, at most 64.",
	"version": "Version of the resource, without quotes.",
	"herId":   "HER-id of the receiver.",
	"kind":    "A type of resource, or * for all of them.",
	"file":    "A file of the export.",
}

// sharedParameters are named by several ways in.
var sharedParameters = map[string]object{
	"_format":        inQuery("_format", "json or xml, or their media types. Goes before Accept.", object{"type": "string"}),
	"_pretty":        inQuery("_pretty", "true indents.", object{"type": "boolean"}),
	"_count":         inQuery("_count", "Entries on a page; more than the server's maximum gives the maximum.", object{"type": "integer", "minimum": 0, "default": defaultCount}),
	"_summary":       inQuery("_summary", "How much of each resource.", object{"enum": []string{"true", "text", "data", "count", "false"}}),
	"_elements":      inQuery("_elements", "These elements only.", object{"type": "string"}),
	"_total":         inQuery("_total", "Whether to count what is found.", object{"enum": []string{"none", "estimate", "accurate"}}),
	"_type":          inQuery("_type", "Types, separated by commas.", object{"type": "string"}),
	"_page":          inQuery("_page", "The next page, as a link of the server has it.", object{"type": "string"}),
	"_sort":          inQuery("_sort", "Name of a parameter, with a hyphen before it for descending.", object{"type": "string"}),
	"_since":         inQuery("_since", "Versions made at or after this instant.", object{"type": "string"}),
	"_at":            inQuery("_at", "Versions that were current at some instant of this time.", object{"type": "string"}),
	"mode":           inQuery("mode", "full", object{"const": "full"}),
	"persona":        inQuery("persona", "Name of a persona.", object{"type": "string"}),
	"ReceiverHerIds": inQuery("ReceiverHerIds", "HER-ids of the requester's own party.", object{"type": "array", "items": object{"type": "string"}}),

	"If-Match":          inHeader("If-Match", `Write only if this version is current: W/"version".`),
	"If-None-Match":     inHeader("If-None-Match", `Read only if another version is current; * on an update: only if there is none.`),
	"If-Modified-Since": inHeader("If-Modified-Since", "Read only if it was changed after this time."),
	"If-None-Exist":     inHeader("If-None-Exist", "Create only if this search finds none of the requester's own. Never a national identity number."),
	"Prefer":            inHeader("Prefer", "return=minimal, return=representation or return=OperationOutcome; handling=strict or handling=lenient."),
}

func inPath(name, text string) object {
	return object{"name": name, "in": "path", "required": true, "description": text, "schema": object{"type": "string"}}
}

func inQuery(name, text string, schema object) object {
	return object{"name": name, "in": "query", "description": text, "schema": schema}
}

func inHeader(name, text string) object {
	return object{"name": name, "in": "header", "description": text, "schema": object{"type": "string"}}
}
