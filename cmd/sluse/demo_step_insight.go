package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

// stepInsight: Kari reads who has seen what about her. Names and units, and no national number.
func (s *story) stepInsight(ctx context.Context) {
	const step = 8
	query := url.Values{"patient": {s.refs["kari"]}, "_count": {"100"}}
	r := s.ask(ctx, herself, http.MethodGet, "/fhir/AuditEvent?"+query.Encode(), "", nil)
	var units []string
	for _, e := range matches(r) {
		for _, a := range each(e, "agent") {
			units = merge(units, s.unitOf(e, a))
		}
	}
	why := "ingen fødselsnumre"
	if strings.Contains(string(r.body), s.kari.NIN) {
		why = "fødselsnummer i loggen"
	}
	s.add(step, dash(units), s.partyOf(ctx, herself), fmt.Sprintf("AuditEvent %d", r.status), [][]byte{r.body}, nil, why)
}

// unitOf names the party behind an agent of an AuditEvent that asked.
func (s *story) unitOf(event, agent any) string {
	if asked, _ := pick(agent, "requestor").(bool); !asked {
		return ""
	}
	for _, c := range each(event, "contained") {
		if "#"+word(c, "id") == word(agent, "who", "reference") {
			return word(c, "organization", "display")
		}
	}
	return ""
}

// ledgerRow verifies the ledger against the signed checkpoints beside the database, once they
// reach everything that the story did, and adds a row.
func (s *story) ledgerRow(ctx context.Context, n *node, dir string) {
	files, entries, err := []string(nil), int64(0), error(nil)
	for wait := time.Duration(0); wait < 5*time.Second && (len(files) == 0 || err != nil); wait += 250 * time.Millisecond {
		time.Sleep(250 * time.Millisecond)
		if files, err = filepath.Glob(filepath.Join(dir, "checkpoints", "*.checkpoints")); err == nil && len(files) > 0 {
			entries, err = verifyLedger(ctx, n.plant.store, n.plant.parts.keys.public, files...)
		}
	}
	why := "hel"
	switch {
	case err != nil:
		why = err.Error()
	case entries < int64(len(s.rows)):
		why = fmt.Sprintf("bare %d linjer", entries)
	}
	s.add(8, "–", s.partyOf(ctx, herself), "sluse verify", nil, nil, why)
}
