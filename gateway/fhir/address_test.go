package fhir

import (
	"strings"
	"testing"
)

func TestAddresses(t *testing.T) {
	t.Parallel()
	r, err := Parse([]byte(`{"resourceType":"Communication","status":"completed",
		"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><a href=\"urn:uuid:a\">x</a></div>"},
		"instantiatesUri":["uri-1"],"_instantiatesUri":[{"extension":[{"url":"no","valueOid":"oid-1"}]}],"instantiatesCanonical":["no"],
		"identifier":[{"system":"uri-2","value":"no"}],
		"extension":[{"url":"no","valueUri":"uri-3"},{"url":"no","valueUrl":"url-1"},{"url":"no","valueString":"no"},{"url":"no","valueReference":{"reference":"ref-1","display":"no"}},{"url":"no","valueCanonical":"no"}],
		"contained":[{"resourceType":"Binary","id":"no","contentType":"no","securityContext":{"reference":"ref-2"}}],
		"payload":[{"contentAttachment":{"url":"url-2","title":"no"}},{"contentString":"no"}],"subject":{"reference":"ref-3"}}`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range r.Addresses() {
		got = append(got, v.Text())
	}
	if s := strings.Join(got, " "); s != "uri-1 oid-1 uri-2 uri-3 url-1 ref-1 ref-2 url-2 ref-3" {
		t.Errorf("addresses: %s", s)
	}
	if n := r.Narratives(); len(n) != 1 || !strings.Contains(n[0].Text(), "href") {
		t.Errorf("narratives: %v", n)
	}
}
