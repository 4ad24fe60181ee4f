package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// installParties writes the demo's parties into the directory over FHIR, as drift does it in an
// installation: who they are, under which law they keep their secrets, and their numbers. Those
// that stand there already are left alone, so that a restart changes nothing.
func installParties(ctx context.Context, d door) error {
	people, err := d.personas(ctx)
	if err != nil {
		return err
	}
	drift, err := d.enter(ctx, people["drift"])
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(people)) {
		p := people[name]
		found, err := drift.get(ctx, "/fhir/"+p.Organization)
		if err != nil {
			return err
		}
		if found.status == http.StatusOK {
			continue
		}
		body, err := json.Marshal(organization(p))
		if err != nil {
			return err
		}
		r, err := drift.do(ctx, http.MethodPut, "/fhir/"+p.Organization, fhirJSON, body)
		if err != nil {
			return err
		}
		if r.status != http.StatusCreated {
			return fmt.Errorf("PUT %s: status %d: %s", p.Organization, r.status, refusalText(r))
		}
	}
	return nil
}

// organization is a party as an Organization. Drift alone writes these numbers.
func organization(p persona) map[string]any {
	_, id, _ := strings.Cut(p.Organization, "/")
	coding := func(system, code string) map[string]any {
		return map[string]any{"coding": []any{map[string]any{"system": system, "code": code}}}
	}
	return map[string]any{
		"resourceType": "Organization", "id": id, "active": true, "name": p.Party,
		"identifier": []any{
			map[string]any{"system": "urn:oid:2.16.578.1.12.4.1.2", "value": p.HERID},
			map[string]any{"system": "urn:oid:2.16.578.1.12.4.1.4.101", "value": p.OrgNumber},
		},
		"type": []any{
			coding("http://sluse.no/fhir/CodeSystem/sektor", p.Sector),
			coding("http://sluse.no/fhir/CodeSystem/lovgrunnlag", p.Lovgrunnlag),
		},
	}
}
