package rest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"

	"github.com/sluse/sluse/gateway"
)

// The description for machines that are not FHIR clients: OpenAPI 3.1 at /fhir/openapi.json. It is made
// from the routes of the router, the CapabilityStatement and the R4 tables, so that it tells of
// nothing that is not there and leaves nothing out that is.

const openAPIPath = root + "/openapi.json"

// object is a JSON object; its members are written in the order of their names.
type object = map[string]any

// ref points at a component of the description.
func ref(kind, name string) object { return object{"$ref": "#/components/" + kind + "/" + name} }

// described is what the CapabilityStatement says that the description repeats.
type described struct {
	Rest []struct {
		Documentation string
		Operation     []describedOperation
		Resource      []describedType
	}
}

type describedType struct {
	Type        string
	SearchParam []struct{ Name, Type, Documentation, Definition string }
	Operation   []describedOperation

	SearchInclude, SearchRevInclude []string
}

type describedOperation struct{ Name, Definition, Documentation string }

// describer makes the description.
type describer struct {
	api   *api
	types map[string]describedType // by type
	ops   []describedOperation     // of the system
}

// describe makes the OpenAPI document of the routes.
func (a *api) describe(routes gin.RoutesInfo) ([]byte, error) {
	d := describer{api: a, types: map[string]describedType{}}
	var told described
	if err := json.Unmarshal(a.statement, &told); err != nil {
		return nil, fmt.Errorf("rest: openapi: %w", err)
	}
	deviations := ""
	for _, one := range told.Rest {
		deviations = one.Documentation
		d.ops = one.Operation
		for _, t := range one.Resource {
			d.types[t.Type] = t
		}
	}
	doc := object{
		"openapi": "3.1.0",
		"info": object{
			"title": "Sluse", "version": a.Version,
			"summary":     "FHIR R4 and messages between bydel, fastlege and helseforetak, as far as the patient has agreed.",
			"description": securityText + "\n\n" + deviations,
		},
		"servers":  []object{{"url": strings.TrimSuffix(a.Base, root)}},
		"security": []object{{"bearer": []string{}}},
		"tags":     d.tags(),
		"paths":    d.paths(routes),
		"components": object{
			"securitySchemes": object{"bearer": object{
				"type": "http", "scheme": "bearer", "bearerFormat": "JWT",
				"description": "An access token of " + a.issuerName() + " (RFC 9068). " + securityText,
			}},
			"schemas":    schemas(),
			"parameters": components(sharedParameters),
			"headers":    answerHeaders,
			"responses":  refusals(),
		},
		"externalDocs": object{"url": "https://hl7.org/fhir/R4/http.html", "description": "The RESTful API of FHIR R4"},
	}
	body, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("rest: openapi: %w", err)
	}
	return body, nil
}

func (d describer) tags() []object {
	tags := []object{{"name": tagSystem, "description": "What belongs to no type of resource."}}
	for _, s := range slices.Concat(services, definitionServices) {
		t := string(s.Type)
		tags = append(tags, object{"name": t, "externalDocs": object{"url": "https://hl7.org/fhir/R4/" + strings.ToLower(t) + ".html"}})
	}
	tags = append(tags, object{"name": tagMessages, "description": "The message API, in the shape of NHN's MSH API v2."})
	if d.api.Demo {
		tags = append(tags, object{"name": tagDemo, "description": "Tokens for synthetic persons. Only in demo mode."})
	}
	return tags
}

// paths describes every route but HEAD, which follows GET, and OPTIONS, which every path has; then
// what is served beside this package at the same address.
func (d describer) paths(routes gin.RoutesInfo) object {
	paths := object{}
	add := func(path, method string, operation object) {
		item, ok := paths[path].(object)
		if !ok {
			item = object{}
			paths[path] = item
		}
		item[strings.ToLower(method)] = operation
	}
	for _, r := range routes {
		if r.Method == http.MethodHead || r.Method == http.MethodOptions || r.Path == root+"/" {
			continue // "/fhir/" is "/fhir" written otherwise
		}
		add(braced(r.Path), r.Method, d.operation(r.Method, r.Path))
	}
	beside := messageNotes
	if d.api.Demo {
		beside = append(slices.Clone(beside), demoNotes...)
	}
	for _, n := range beside {
		add(n.path, n.method, d.render(n, n.path, ""))
	}
	return paths
}

// operation describes one route: a door of an interaction, an operation, or one of those that are
// like no other.
func (d describer) operation(method, path string) object {
	for _, n := range slices.Concat(plainNotes, exportNotes, subscriptionOffers) {
		if n.method == method && n.path == braced(path) {
			return d.render(n, path, "")
		}
	}
	kind, below := d.split(path)
	if kind == "" {
		for code, list := range systemDoors {
			if slices.ContainsFunc(list, func(x door) bool { return x.method == method && x.path == below }) {
				return d.render(interactionNotes[code].at(method, path), path, "")
			}
		}
	}
	for _, s := range slices.Concat(services, definitionServices) {
		for _, code := range s.Interactions {
			if string(s.Type) != kind || !slices.ContainsFunc(doors[code], func(x door) bool { return x.method == method && x.path == below }) {
				continue
			}
			return d.render(interactionNotes[code].at(method, path), path, kind)
		}
	}
	if _, name, ok := strings.Cut(below, "$"); ok {
		name, _, _ = strings.Cut(name, "/")
		return d.render(d.operationNote(method, path, kind, name), path, kind)
	}
	return d.render(notice{
		method: method, path: path, id: undescribed + operationSuffix(method, path), summary: method + " " + braced(path),
		answers: []promise{{status: http.StatusOK, text: "Done.", body: "Anything"}}, refuses: readRefusals,
	}, path, kind)
}

// undescribed begins the operationId of a way in that no table here knows. A test demands that there is none.
const undescribed = "undescribed-"

func operationSuffix(method, path string) string {
	return strings.ToLower(method) + strings.NewReplacer("/", "-", ":", "", "$", "").Replace(path)
}

// split gives the type of a route, "" when it has none, and the rest of its path.
func (d describer) split(path string) (kind, below string) {
	below = strings.TrimPrefix(path, root)
	first, _, _ := strings.Cut(strings.TrimPrefix(below, "/"), "/")
	if _, ok := d.types[first]; ok {
		return first, strings.TrimPrefix(below, "/"+first)
	}
	return "", below
}

// operationNote describes an operation ($name) by what the CapabilityStatement says of it.
func (d describer) operationNote(method, path, kind, name string) notice {
	n := notice{
		method: method, path: path, id: "operation-" + name, summary: "Operation $" + name, doors: true,
		answers: []promise{{status: 200, text: "What the operation gives.", body: "Resource"}}, refuses: readRefusals,
	}
	if method == http.MethodPost {
		n.takes, n.refuses = "Parameters", writeRefusals
	}
	list := d.ops
	if t, ok := d.types[kind]; ok {
		list = slices.Concat(t.Operation, list)
	}
	for _, o := range list {
		if strings.TrimPrefix(o.Name, "$") == name {
			n.text, n.docs = o.Documentation, o.Definition
			break
		}
	}
	return n
}

// render writes a note as an Operation Object.
func (d describer) render(n notice, path, kind string) object {
	o := object{
		"operationId": operationID(n, path, kind),
		"summary":     named(n.summary, kind),
		"tags":        []string{n.tagOf(kind)},
		"responses":   n.responses(kind),
	}
	if n.text != "" {
		o["description"] = named(n.text, kind)
	}
	if n.docs != "" {
		o["externalDocs"] = object{"url": n.docs}
	}
	if n.open {
		o["security"] = []object{}
	}
	if parameters := d.parametersOf(n, path, kind); len(parameters) > 0 {
		o["parameters"] = parameters
	}
	if body := n.requestBody(kind, d.searchForm(kind)); body != nil {
		o["requestBody"] = body
	}
	return o
}

// parametersOf lists those of the path, those that the note names, and for searches those of the type.
func (d describer) parametersOf(n notice, path, kind string) []object {
	var list []object
	for part := range strings.SplitSeq(braced(path), "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			name = strings.TrimSuffix(name, "}")
			list = append(list, inPath(name, pathParameters[name]))
		}
	}
	for _, name := range n.parameters {
		list = append(list, ref("parameters", name))
	}
	if n.search {
		t := d.types[kind]
		for _, p := range t.SearchParam {
			list = append(list, searchParameter(p.Name, p.Type, p.Documentation, p.Definition))
		}
		list = append(list, included("_include", t.SearchInclude)...)
		list = append(list, included("_revinclude", t.SearchRevInclude)...)
	}
	return list
}

// searchParameter describes one parameter. It may stand several times: all must hold (R4
// search.html#combining). A modifier follows the name after a colon, which OpenAPI cannot say.
func searchParameter(name, kind, documentation, definition string) object {
	text := kind
	if documentation != "" {
		text += ": " + documentation
	}
	if definition != "" {
		text += " (" + definition + ")"
	}
	return object{
		"name": name, "in": "query", "description": text,
		"schema": object{"type": "array", "items": object{"type": "string"}}, "explode": true,
	}
}

// included is a parameter that names references by which more is given.
func included(name string, values []string) []object {
	if len(values) == 0 {
		return nil
	}
	return []object{{
		"name": name, "in": "query", "description": "Also what these refer to, or what refers to it, as far as it is shared. :iterate goes on from there.",
		"schema": object{"type": "array", "items": object{"type": "string", "examples": values}}, "explode": true,
	}}
}

// searchForm is the schema of a form that is posted to _search.
func (d describer) searchForm(kind string) object {
	members := object{}
	for _, p := range d.types[kind].SearchParam {
		members[p.Name] = object{"type": "string", "description": p.Type}
	}
	return object{"type": "object", "properties": members, "additionalProperties": object{"type": "string"}}
}

// braced writes a path of the router as OpenAPI does.
func braced(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if strings.HasPrefix(p, ":") || strings.HasPrefix(p, "*") {
			parts[i] = "{" + p[1:] + "}"
		}
	}
	return strings.Join(parts, "/")
}

// operationID names an operation uniquely: interaction, type, and what tells its doors apart.
func operationID(n notice, path, kind string) string {
	id := n.id
	if kind != "" {
		id += "-" + kind
	}
	if n.doors {
		id += "-" + strings.ToLower(n.method)
		if strings.Contains(path, "{id}") || strings.Contains(path, ":id") {
			id += "-id"
		}
	}
	return id
}

// named puts the type into a text.
func named(text, kind string) string { return strings.ReplaceAll(text, "{type}", kind) }

// refusals are the responses of every status that is an error, by the table that renders them.
func refusals() object {
	out := object{}
	codes := map[int][]string{
		http.StatusNotAcceptable: {"media-type"}, http.StatusMethodNotAllowed: {"not-supported"},
		http.StatusRequestURITooLong: {"too-large"}, http.StatusRequestTimeout: {"unavailable"}, http.StatusRequestHeaderFieldsTooLarge: {"too-large"},
	}
	for code, row := range renderings {
		codes[row.status] = append(codes[row.status], textOf[code])
	}
	for status, names := range codes {
		slices.Sort(names)
		answer := object{
			"description": http.StatusText(status) + " (" + strings.Join(names, ", ") + ")",
			"content":     contentOf("OperationOutcome", fhirJSON, fhirXML),
		}
		headers := object{}
		switch status {
		case renderings[gateway.Unauthorized].status:
			headers["WWW-Authenticate"] = ref("headers", "WWW-Authenticate")
		case renderings[gateway.Unavailable].status:
			headers["Retry-After"] = ref("headers", "Retry-After")
		case http.StatusMethodNotAllowed:
			headers["Allow"] = ref("headers", "Allow")
		}
		if len(headers) > 0 {
			answer["headers"] = headers
		}
		out["status-"+strconv.Itoa(status)] = answer
	}
	return out
}

// contentOf is a body of the schema in the media types.
func contentOf(schema string, media ...string) object {
	out := object{}
	for _, m := range media {
		out[m] = object{"schema": ref("schemas", schema)}
	}
	return out
}

// components gives the shared parameters by their key.
func components(list map[string]object) object {
	out := object{}
	for name, p := range list {
		out[name] = p
	}
	return out
}

// describeAt opens what tells about the server to those that are no FHIR clients. It needs no token.
func (a *api) describeAt(e *gin.Engine) {
	a.description = sync.OnceValues(func() ([]byte, error) { return a.describe(e.Routes()) })
	a.open(e, http.MethodGet, openAPIPath, a.handle("", false, (*api).openAPI))
	for _, path := range []string{smartPath, root + smartPath} {
		a.open(e, http.MethodGet, path, a.handle("", false, (*api).smart))
	}
}

// openAPI answers with the description.
func (a *api) openAPI(r *request) (answer, error) {
	if isXML(r.format) {
		return answer{}, refuse(http.StatusNotAcceptable, gateway.MediaType, "http.accept")
	}
	if err := noneLeft(r.http.URL.RawQuery); err != nil {
		return answer{}, err
	}
	body, err := a.description()
	if err != nil {
		return answer{}, gateway.Failed("rest.openapi", gateway.Internal, err)
	}
	r.format = plainJSON
	return answer{status: http.StatusOK, statement: body}, nil
}
