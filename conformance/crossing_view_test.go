package conformance_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// view is what a party sees of a person over FHIR.
type view struct {
	marks    map[[2]int]string // by copy and leaf: the record
	records  map[string]bool
	sources  []source
	original map[int]bool // copies of which the original is there

	originals map[string]bool // its records
	labels    map[string][]string
}

// source is what a Provenance says: the records of one section of a message.
type source struct {
	msgID   string
	records []string
	head    bool // of the head
	whole   bool // of the original
}

// view asks for everything about the person.
func (w *crossing) view(party string, s *subject) view {
	c, at := w.parties[party], s.patient
	if party == crossingReceiver {
		at = s.received
	}
	v := view{marks: map[[2]int]string{}, records: map[string]bool{}, original: map[int]bool{}, originals: map[string]bool{}, labels: map[string][]string{}}
	w.pages(c, "/fhir/"+at+"/$everything?_count=100", &v)
	if party == crossingSender {
		for some := range slices.Chunk(slices.Sorted(maps.Keys(v.records)), 40) {
			w.pages(c, "/fhir/Provenance?_count=200&target="+strings.Join(some, ","), &v)
		}
		return v
	}
	if a, err := c.try(http.MethodGet, "/fhir/"+s.patient, "", nil); err == nil && a.status == http.StatusOK { // $everything is of the own Patient
		w.look(c, a.body, &v)
	}
	return v
}

// pages looks at all pages of an answer.
func (w *crossing) pages(c *client, path string, v *view) {
	for path != "" {
		a, err := c.try(http.MethodGet, path, "", nil)
		if err != nil || a.status != http.StatusOK {
			w.t.Errorf("%s by %s: %v, %d %s", path, c.herID, err, a.status, a.body)
			return
		}
		var page struct {
			Link  []struct{ Relation, URL string }
			Entry []struct{ Resource json.RawMessage }
		}
		if err := json.Unmarshal(a.body, &page); err != nil {
			w.t.Errorf("%s: %v", path, err)
			return
		}
		for _, e := range page.Entry {
			w.look(c, e.Resource, v)
		}
		path = ""
		for _, l := range page.Link {
			if l.Relation == "next" {
				path = "/fhir/" + strings.SplitN(l.URL, "/fhir/", 2)[1]
			}
		}
	}
}

// look notes the marks of a record, and those of the original that it leads to.
func (w *crossing) look(c *client, raw json.RawMessage, v *view) {
	var r struct {
		ResourceType, ID string
		Meta             struct {
			Security []struct{ System, Code string }
		}
		Target []struct{ Reference string }
		Entity []struct {
			What struct{ Identifier struct{ Value string } }
		}
		MasterIdentifier *struct{ Value string }
		Content          []struct{ Attachment struct{ URL string } }
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		w.t.Errorf("%v: %s", err, raw)
		return
	}
	for at := range marksIn(raw) {
		v.marks[at] = r.ResourceType + "/" + r.ID
	}
	switch {
	case r.ResourceType == "OperationOutcome" || r.ResourceType == "Organization":
	case r.ResourceType != "Provenance":
		name := r.ResourceType + "/" + r.ID
		v.records[name] = true
		for _, c := range r.Meta.Security {
			if c.System == labelSystem && !slices.Contains(v.labels[name], c.Code) {
				v.labels[name] = append(v.labels[name], c.Code)
			}
		}
	case len(r.Entity) > 0:
		from := source{msgID: r.Entity[0].What.Identifier.Value}
		for _, t := range r.Target {
			name, _, _ := strings.Cut(t.Reference, "/_history")
			from.head = from.head || strings.HasPrefix(name, "Patient/")
			from.whole = from.whole || v.originals[name]
			if !strings.HasPrefix(name, "Binary/") {
				from.records = append(from.records, name)
			}
		}
		if !slices.ContainsFunc(v.sources, func(o source) bool { return slices.Equal(o.records, from.records) }) {
			v.sources = append(v.sources, from)
		}
	}
	if r.ResourceType != "DocumentReference" || r.MasterIdentifier == nil || len(r.Content) == 0 {
		return
	}
	v.originals[r.ResourceType+"/"+r.ID] = true
	a, err := c.try(http.MethodGet, "/fhir/"+r.Content[0].Attachment.URL, "", nil, "Accept", "application/fhir+json")
	var binary struct{ Data string }
	if err != nil || a.status != http.StatusOK || json.Unmarshal(a.body, &binary) != nil {
		return // not released
	}
	original, err := base64.StdEncoding.DecodeString(binary.Data)
	if err != nil {
		w.t.Error(err)
	}
	for at := range marksIn(original) {
		v.original[at[0]] = true
	}
}

func marksIn(b []byte) map[[2]int]bool {
	found := map[[2]int]bool{}
	for _, m := range markForm.FindAllSubmatch(b, -1) {
		copied, _ := strconv.Atoi(string(m[1]))
		n, _ := strconv.Atoi(string(m[2]))
		found[[2]int{copied, n}] = true
	}
	return found
}
