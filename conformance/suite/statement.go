package suite

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// statement is what the suite reads of a CapabilityStatement.
type statement struct {
	ResourceType, FHIRVersion, Status, Kind string
	Format, PatchFormat                     []string
	Software                                struct{ Name, Version string }
	Implementation                          struct{ URL string }
	Rest                                    []struct {
		Mode, Documentation string
		Security            struct{ Description string }
		Interaction         []struct{ Code string }
		Resource            []promised
	}
}

// promised is one type of the statement.
type promised struct {
	Type                                 string
	Interaction                          []struct{ Code string }
	SearchParam                          []parameter
	ConditionalCreate, ConditionalUpdate bool
	ConditionalDelete                    string
	SearchInclude, SearchRevInclude      []string
	Operation                            []struct{ Name, Definition string }
}

type parameter struct{ Name, Type, Definition string }

func (p promised) does(code string) bool {
	return slices.ContainsFunc(p.Interaction, func(i struct{ Code string }) bool { return i.Code == code })
}

func (p promised) operates(name string) bool {
	return slices.ContainsFunc(p.Operation, func(o struct{ Name, Definition string }) bool { return o.Name == name })
}

// types are those of the server.
func (s statement) types() []promised {
	for _, r := range s.Rest {
		if r.Mode == "server" {
			return r.Resource
		}
	}
	return nil
}

// looked are the promised types that the run looks at.
func (s *session) looked() []promised {
	if len(s.Types) == 0 {
		return s.statement.types()
	}
	return slices.DeleteFunc(slices.Clone(s.statement.types()), func(p promised) bool { return !slices.Contains(s.Types, p.Type) })
}

func (s statement) promised(kind string) promised {
	for _, p := range s.types() {
		if p.Type == kind {
			return p
		}
	}
	return promised{}
}

func (s statement) does(kind, code string) bool { return s.promised(kind).does(code) }

// system tells whether the server promises an interaction with the whole system.
func (s statement) system(code string) bool {
	for _, r := range s.Rest {
		for _, i := range r.Interaction {
			if i.Code == code {
				return true
			}
		}
	}
	return false
}

// readStatement reads what everything else is checked against.
func (s *session) readStatement() error {
	a := s.askAs("", http.MethodGet, "/metadata", nil, "Accept", fhirJSON)
	if a.err != nil {
		return fmt.Errorf("suite: %s/metadata cannot be read: %w", s.Base, a.err)
	}
	if err := json.Unmarshal(a.body, &s.statement); a.status != http.StatusOK || err != nil || s.statement.ResourceType != "CapabilityStatement" {
		return fmt.Errorf("suite: %s/metadata is no CapabilityStatement: %s", s.Base, a)
	}
	return nil
}

func checkMetadata(s *session) {
	s.check("tells of FHIR R4 and of itself", func(t *trial) {
		m := t.statement
		if m.FHIRVersion != "4.0.1" || m.Status == "" || m.Kind != "instance" || m.Software.Name == "" || m.Implementation.URL == "" {
			t.errorf("fhirVersion %q, status %q, kind %q, software %q, implementation.url %q", m.FHIRVersion, m.Status, m.Kind, m.Software.Name, m.Implementation.URL)
		}
		if len(m.types()) == 0 {
			t.errorf("no type is promised")
		}
	})
	s.check("tells who is let in, and where it does otherwise than R4", func(t *trial) {
		for _, r := range t.statement.Rest {
			if r.Security.Description == "" || r.Documentation == "" {
				t.errorf("rest.security.description or rest.documentation is empty")
			}
		}
	})
	s.check("is there as JSON and XML, by Accept and _format", func(t *trial) {
		for _, tt := range []struct{ path, accept, media string }{
			{"/metadata", fhirJSON, fhirJSON}, {"/metadata", fhirXML, fhirXML},
			{"/metadata?_format=json", "", fhirJSON}, {"/metadata?_format=xml", "", fhirXML},
		} {
			a := t.askAs("", http.MethodGet, tt.path, nil, "Accept", tt.accept)
			if tt.accept == "" {
				a = t.askAs("", http.MethodGet, tt.path, nil)
			}
			if media, _, _ := strings.Cut(a.header.Get("Content-Type"), ";"); t.want(200, a, tt.path).status == 200 && media != tt.media {
				t.errorf("%s with Accept %q: %s", tt.path, tt.accept, media)
			}
		}
	})
	s.check("answers HEAD as GET without a body", func(t *trial) {
		a := t.want(200, t.askAs("", http.MethodHead, "/metadata", nil), "HEAD")
		if len(a.body) > 0 || a.header.Get("Content-Type") == "" {
			t.errorf("%d bytes, Content-Type %q", len(a.body), a.header.Get("Content-Type"))
		}
	})
	s.check("each type is told of once, with interactions and parameters that are defined", func(t *trial) {
		seen := map[string]bool{}
		for _, p := range t.statement.types() {
			if seen[p.Type] || len(p.Interaction) == 0 {
				t.errorf("%s stands twice, or does nothing", p.Type)
			}
			seen[p.Type] = true
			for _, x := range p.SearchParam {
				if x.Type == "" || x.Definition == "" {
					t.errorf("%s.%s has no type or definition", p.Type, x.Name)
				}
			}
		}
	})
}

func checkDescription(s *session) {
	s.check("openapi.json describes each type of the CapabilityStatement", func(t *trial) {
		a := t.want(200, t.askAs("", http.MethodGet, "/openapi.json", nil), "openapi.json")
		var doc struct {
			OpenAPI string
			Paths   map[string]map[string]any
		}
		if err := json.Unmarshal(a.body, &doc); err != nil || !strings.HasPrefix(doc.OpenAPI, "3.1.") {
			t.fatalf("no OpenAPI 3.1: %q, %v", doc.OpenAPI, err)
		}
		for _, p := range t.statement.types() {
			item := doc.Paths["/fhir/"+p.Type]
			if p.does("search-type") && item["get"] == nil || p.does("create") && item["post"] == nil {
				t.errorf("%s is not described as it is promised", p.Type)
			}
		}
	})
	s.check("smart-configuration tells where tokens come from", func(t *trial) {
		a := t.askAs("", http.MethodGet, "/.well-known/smart-configuration", nil)
		if a.status == http.StatusNotFound {
			t.notApplicable("the installation names no issuer")
		}
		t.want(200, a, "smart-configuration")
		v := a.object()
		for _, name := range []string{"token_endpoint", "capabilities", "grant_types_supported", "code_challenge_methods_supported"} {
			if _, ok := v[name]; !ok {
				t.errorf("%s is missing", name)
			}
		}
	})
}

func checkCredentials(s *session) {
	kinds := s.statement.types()
	if len(kinds) == 0 {
		return
	}
	path := "/" + kinds[0].Type
	for name, token := range map[string]string{"no token": "", "a token that is none": "sluse", "a token with another signature": s.Token + "x"} {
		s.check("401 for "+name, func(t *trial) {
			a := t.askAs(token, http.MethodGet, path, nil)
			t.refused(http.StatusUnauthorized, a, "GET "+path)
			if !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") {
				t.errorf("WWW-Authenticate %q", a.header.Get("WWW-Authenticate"))
			}
		})
	}
}
