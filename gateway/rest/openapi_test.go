package rest

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/sluse/sluse/gateway"
)

// openAPI is what a test looks at of the description.
type openAPI struct {
	OpenAPI string
	Servers []struct{ URL string }
	Paths   map[string]map[string]struct {
		OperationID string
		Summary     string
		Security    *[]any
		Parameters  []struct {
			Ref      string `json:"$ref"`
			Name, In string
		}
		RequestBody *struct {
			Content map[string]any
		}
		Responses map[string]any
	}
	Components struct{ Schemas map[string]any }
}

func openAPIDocument(t *testing.T) (raw []byte, doc openAPI) {
	t.Helper()
	rec := newWire(t).ask(t, "GET", "/fhir/openapi.json", "", "Authorization: ")
	if rec.Code != http.StatusOK || rec.Header().Get("Content-Type") != "application/json; charset=utf-8" {
		t.Fatalf("%d %s %s", rec.Code, rec.Header(), rec.Body)
	}
	must(t, json.Unmarshal(rec.Body.Bytes(), &doc))
	return rec.Body.Bytes(), doc
}

// The document holds to the schema of OpenAPI 3.1 (spec.openapis.org/oas/3.1/schema/2022-10-07), and
// each schema in it to JSON Schema 2020-12; no reference in it leads nowhere.
func TestOpenAPIHoldsToItsSchema(t *testing.T) {
	t.Parallel()
	raw, doc := openAPIDocument(t)
	f, err := os.Open("testdata/openapi-3.1.schema.json")
	must(t, err)
	defer func() { _ = f.Close() }()
	schema, err := jsonschema.UnmarshalJSON(f)
	must(t, err)
	c := jsonschema.NewCompiler()
	must(t, c.AddResource("oas.json", schema))
	oas, err := c.Compile("oas.json")
	must(t, err)
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(raw)))
	must(t, err)
	if err := oas.Validate(value); err != nil {
		t.Error(err)
	}
	broken, err := jsonschema.UnmarshalJSON(strings.NewReader(strings.Replace(string(raw), `"in":"path"`, `"in":"road"`, 1)))
	must(t, err)
	if oas.Validate(broken) == nil {
		t.Error("the schema takes what is no OpenAPI: the test sees nothing")
	}
	must(t, c.AddResource("doc.json", value))
	for name := range doc.Components.Schemas {
		if _, err := c.Compile("doc.json#/components/schemas/" + name); err != nil {
			t.Errorf("schema %s: %v", name, err)
		}
	}
	for _, target := range references(value) {
		if !leads(value, target) {
			t.Errorf("%s leads nowhere", target)
		}
	}
}

func references(value any) (targets []string) {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			if s, ok := member.(string); ok && name == "$ref" {
				targets = append(targets, s)
			}
			targets = append(targets, references(member)...)
		}
	case []any:
		for _, item := range v {
			targets = append(targets, references(item)...)
		}
	}
	return targets
}

func leads(value any, target string) bool {
	for part := range strings.SplitSeq(strings.TrimPrefix(target, "#/"), "/") {
		members, ok := value.(map[string]any)
		if !ok {
			return false
		}
		if value, ok = members[part]; !ok {
			return false
		}
	}
	return true
}

// Every route of the router is described, and nothing that is no route.
func TestOpenAPIIsTheRouter(t *testing.T) {
	t.Parallel()
	_, doc := openAPIDocument(t)
	w := newWire(t)
	engine, ok := w.Handler.(*gin.Engine)
	if !ok {
		t.Fatalf("the router is a %T", w.Handler)
	}
	routed := map[string]bool{}
	for _, r := range engine.Routes() {
		if r.Method != http.MethodHead && r.Path != "/fhir/" {
			routed[r.Method+" "+braced(r.Path)] = true
		}
	}
	ids := map[string]string{}
	for path, item := range doc.Paths {
		for method, o := range item {
			at := strings.ToUpper(method) + " " + path
			if !routed[at] && !strings.HasPrefix(path, "/edi/") {
				t.Errorf("%s is described and no route", at)
			}
			delete(routed, at)
			if other := ids[o.OperationID]; other != "" || o.OperationID == "" || o.Summary == "" {
				t.Errorf("%s: operationId %q (also %s), summary %q", at, o.OperationID, other, o.Summary)
			}
			ids[o.OperationID] = at
			if strings.HasPrefix(o.OperationID, undescribed) {
				t.Errorf("%s is described by no table: add it to interactionNotes or plainNotes", at)
			}
			if len(o.Responses) < 2 {
				t.Errorf("%s: %d responses", at, len(o.Responses))
			}
			if strings.Contains(o.Summary, "{") {
				t.Errorf("%s: %s", at, o.Summary)
			}
		}
	}
	for at := range routed {
		t.Errorf("%s is a route and not described", at)
	}
}

// The description and the CapabilityStatement tell of the same search parameters.
func TestOpenAPIIsTheCapabilityStatement(t *testing.T) {
	t.Parallel()
	_, doc := openAPIDocument(t)
	rec := newWire(t).ask(t, "GET", "/fhir/metadata", "", "Authorization: ")
	var s statement
	must(t, json.Unmarshal(rec.Body.Bytes(), &s))
	compared := 0
	for _, r := range s.Rest[0].Resource {
		search := doc.Paths["/fhir/"+r.Type]["get"]
		var told, described []string
		for _, p := range r.SearchParam {
			told = append(told, p.Name)
		}
		for _, p := range search.Parameters {
			if p.Ref == "" && p.In == "query" && p.Name != "_include" && p.Name != "_revinclude" {
				described = append(described, p.Name)
			}
		}
		slices.Sort(told)
		slices.Sort(described)
		if !slices.Equal(told, described) || len(told) == 0 {
			t.Errorf("%s: told %v, described %v", r.Type, told, described)
		}
		compared += len(told)
		if doc.Components.Schemas[r.Type] == nil {
			t.Errorf("%s has no schema", r.Type)
		}
	}
	if compared < 100 {
		t.Errorf("only %d parameters were compared", compared)
	}
}

// What needs no token says so, and nothing else does: asked without one, every other is 401.
func TestOpenAPITellsWhatIsOpen(t *testing.T) {
	t.Parallel()
	_, doc := openAPIDocument(t)
	w := newWire(t)
	asked := 0
	for path, item := range doc.Paths {
		if strings.HasPrefix(path, "/edi/") {
			continue
		}
		for method, o := range item {
			target := strings.NewReplacer("{", "", "}", "").Replace(path)
			rec := w.ask(t, strings.ToUpper(method), target, "", "Authorization: ")
			if open := o.Security != nil && len(*o.Security) == 0; (rec.Code == http.StatusUnauthorized) == open {
				t.Errorf("%s %s: told open %v, answered %d", method, path, open, rec.Code)
			}
			asked++
		}
	}
	if asked < 200 {
		t.Errorf("only %d ways in were asked", asked)
	}
}

// Every interaction that has a door has a note.
func TestInteractionsHaveNotes(t *testing.T) {
	t.Parallel()
	for code := range doors {
		if interactionNotes[code].id == "" {
			t.Errorf("%s has no note", code)
		}
	}
	for code := range systemDoors {
		if interactionNotes[code].id == "" {
			t.Errorf("%s has no note", code)
		}
	}
}

// SMART clients find the issuer at both addresses without a token, in JSON whatever they accept; the
// document promises nothing that the tokens here cannot do.
func TestSmartConfiguration(t *testing.T) {
	t.Parallel()
	h, err := New(Config{
		Gateway: &gateway.Gateway{}, Authenticator: byToken{}, Base: testBase, Version: "test", Clock: time.Now, Random: rand.Reader,
		Tokens: Tokens{
			Issuer: "https://issuer.example", Token: "https://issuer.example/connect/token", Keys: "https://issuer.example/jwks",
			Grants: []string{"client_credentials"}, Methods: []string{"private_key_jwt"},
		},
	})
	must(t, err)
	w := wire{Handler: h}
	for _, path := range []string{"/.well-known/smart-configuration", "/fhir/.well-known/smart-configuration"} {
		rec := w.ask(t, "GET", path, "", "Authorization: ", "Accept: application/fhir+xml")
		if rec.Code != http.StatusOK || rec.Header().Get("Content-Type") != "application/json; charset=utf-8" {
			t.Fatalf("%s: %d %s %s", path, rec.Code, rec.Header(), rec.Body)
		}
		var got smartConfiguration
		must(t, json.Unmarshal(rec.Body.Bytes(), &got))
		if got.Issuer != "https://issuer.example" || got.Token != "https://issuer.example/connect/token" || !slices.Equal(got.Grants, []string{"client_credentials"}) {
			t.Errorf("%s: %+v", path, got)
		}
		if !slices.Equal(got.Capabilities, []string{"client-confidential-asymmetric"}) {
			t.Errorf("%s promises %v", path, got.Capabilities)
		}
	}
	if rec := newWire(t).ask(t, "GET", "/.well-known/smart-configuration", "", "Authorization: "); rec.Code != http.StatusNotFound {
		t.Errorf("without an issuer: %d %s", rec.Code, rec.Body)
	}
}

func TestTokensAreChecked(t *testing.T) {
	t.Parallel()
	if err := (Tokens{Token: "/connect/token"}).validate(); err == nil {
		t.Error("a relative token endpoint was taken")
	}
}
