package rest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	r4 "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"github.com/sluse/sluse/conformance/definitions"
	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// ownCanonical begins the canonical URL of every definition of ours.
const ownCanonical = "http://sluse.no/fhir/"

// definitionServices are the types of our own definitions: read and searched by whoever has a token,
// written by nobody. They come with the program and are in no database.
var definitionServices = []service{
	{"CodeSystem", readAndSearch}, {"OperationDefinition", readAndSearch}, {"SearchParameter", readAndSearch},
	{"StructureDefinition", readAndSearch}, {"ValueSet", readAndSearch},
}

// definition is one of them, with what it can be searched by.
type definition struct {
	kind fhir.Type
	id   fhir.ID
	by   map[string]string
	body []byte
}

// definitionParams are the search parameters of definitions.
var definitionParams = []struct {
	name, definition string
	kind             r4.SearchParamType
}{
	{"_id", "http://hl7.org/fhir/SearchParameter/Resource-id", r4.SearchParamTypeToken},
	{"url", "http://hl7.org/fhir/SearchParameter/conformance-url", r4.SearchParamTypeUri},
}

// readDefinitions reads those of the types that are served, in the order of type and id.
func readDefinitions() ([]definition, error) {
	names, err := fs.Glob(definitions.Own(), "*.json")
	if err != nil {
		return nil, fmt.Errorf("rest: definitions: %w", err)
	}
	var list []definition
	for _, name := range names {
		kind, _, _ := strings.Cut(name, "-")
		if !slices.ContainsFunc(definitionServices, func(s service) bool { return string(s.Type) == kind }) {
			continue
		}
		body, err := fs.ReadFile(definitions.Own(), name)
		if err != nil {
			return nil, fmt.Errorf("rest: definitions: %w", err)
		}
		var told struct{ ID, URL string }
		if err := json.Unmarshal(body, &told); err != nil {
			return nil, fmt.Errorf("rest: definitions: %s: %w", name, err)
		}
		list = append(list, definition{
			kind: fhir.Type(kind), id: fhir.ID(told.ID), by: map[string]string{"_id": told.ID, "url": told.URL}, body: body,
		})
	}
	slices.SortFunc(list, func(a, b definition) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.id, b.id))
	})
	return list, nil
}

// defineAt wires the doors of definitions.
func (a *api) defineAt(e *gin.Engine) {
	for _, s := range definitionServices {
		path := root + "/" + string(s.Type)
		a.open(e, http.MethodGet, path+"/:id", a.handle(s.Type, true, (*api).readDefinition))
		a.open(e, http.MethodGet, path, a.handle(s.Type, true, (*api).findDefinitions))
		a.open(e, http.MethodPost, path+"/_search", a.handle(s.Type, true, (*api).findDefinitions))
	}
}

func (a *api) readDefinition(r *request) (answer, error) {
	if err := noneLeft(r.http.URL.RawQuery); err != nil {
		return answer{}, err
	}
	for _, d := range a.definitions {
		if d.kind == r.target.Type && d.id == r.target.ID {
			return answer{status: http.StatusOK, statement: d.body}, nil
		}
	}
	return answer{}, fault(gateway.NotFound, "absent")
}

// findDefinitions searches by _id and url, in the order of ids. A page link holds a place in it.
func (a *api) findDefinitions(r *request) (answer, error) {
	params, err := a.parameters(r, r.http.Method == http.MethodPost)
	if err != nil {
		return answer{}, err
	}
	found := slices.DeleteFunc(slices.Clone(a.definitions), func(d definition) bool { return d.kind != r.target.Type })
	count, from := maxCount, 0
	var asked []string
	var left []fhir.Issue
	for _, p := range params {
		if p.modifier != "" {
			return answer{}, gateway.Fault("rest.definition", gateway.BadQuery, p.issue("search.modifier-unknown"))
		}
		switch p.name {
		case "_id", "url":
			values, ok := alternatives(p.value)
			if !ok || p.value == "" {
				return answer{}, gateway.Fault("rest.definition", gateway.BadQuery, p.issue("search.value-empty"))
			}
			found = slices.DeleteFunc(found, func(d definition) bool {
				return !slices.ContainsFunc(values, func(v string) bool { return unescaper.Replace(v) == d.by[p.name] })
			})
			asked = append(asked, p.name+"="+escapeQuery(p.value))
		case "_count", "_page":
			n, err := strconv.Atoi(p.value)
			if err != nil || n < 1 {
				return answer{}, gateway.Fault("rest.definition", gateway.BadQuery, p.issue("search.count"))
			}
			if p.name == "_count" {
				count = min(n, maxCount)
			} else {
				from = n
			}
		default:
			if !r.prefer.lenient || fhir.ContainsNIN(p.value) {
				return answer{}, gateway.Fault("rest.definition", gateway.BadQuery, p.issue("search.parameter-unknown"))
			}
			left = append(left, fhir.Issue{Severity: "warning", Type: "not-supported", Code: "search.left-out", Expression: p.expression()})
		}
	}
	var told []byte
	if len(left) > 0 {
		told = outcome(left, language(r.http.Header))
	}
	return answer{status: http.StatusOK, statement: a.definitionPage(r.target.Type, found, asked, count, from, told)}, nil
}

// definitionPage writes a searchset. Everybody sees every definition, so that the total is told. told is
// an OperationOutcome of what was left out, nil when nothing was.
func (a *api) definitionPage(t fhir.Type, found []definition, asked []string, count, from int, told []byte) []byte {
	total := len(found)
	found = found[min(from, total):]
	link := a.Base + "/" + string(t) + "?" + strings.Join(append(asked, "_count="+strconv.Itoa(count)), "&")
	b := []byte(`{"resourceType":"Bundle","type":"searchset","total":` + strconv.Itoa(total) + `,"link":[{"relation":"self","url":`)
	b = append(fhir.AppendString(b, link), '}')
	if len(found) > count {
		found = found[:count]
		b = append(b, `,{"relation":"next","url":`...)
		b = append(fhir.AppendString(b, link+"&_page="+url.QueryEscape(strconv.Itoa(from+count))), '}')
	}
	b = append(b, ']')
	before := `,"entry":[`
	for _, d := range found {
		b = fhir.AppendString(append(append(b, before...), `{"fullUrl":`...), a.Base+"/"+string(t)+"/"+string(d.id))
		b = append(append(b, `,"resource":`...), d.body...)
		b = append(b, `,"search":{"mode":"match"}}`...)
		before = ","
	}
	if told != nil {
		b = append(append(append(b, before...), `{"resource":`...), told...)
		b = append(b, `,"search":{"mode":"outcome"}}`...)
		before = ","
	}
	if before == "," {
		b = append(b, ']')
	}
	return append(b, '}')
}

// definitionCapabilities tells of the types of definitions.
func definitionCapabilities() ([]r4.CapabilityStatementRestResource, error) {
	var list []r4.CapabilityStatementRestResource
	for _, s := range definitionServices {
		one := r4.CapabilityStatementRestResource{
			Documentation: ptr("Sluse's own definitions. They come with the program and change only with it."),
			Versioning:    ptr(r4.ResourceVersionPolicyNoVersion),
		}
		if err := code(string(s.Type), &one.Type); err != nil {
			return nil, err
		}
		for _, i := range s.Interactions {
			var interaction r4.CapabilityStatementRestResourceInteraction
			if err := code(string(i), &interaction.Code); err != nil {
				return nil, err
			}
			one.Interaction = append(one.Interaction, interaction)
		}
		for _, p := range definitionParams {
			one.SearchParam = append(one.SearchParam, r4.CapabilityStatementRestResourceSearchParam{
				Name: p.name, Definition: ptr(p.definition), Type: p.kind,
			})
		}
		list = append(list, one)
	}
	return list, nil
}
