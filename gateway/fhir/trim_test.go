package fhir

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

var trimmed = &Trim{
	Members:     map[Type]string{"Communication": "statusReason"},
	Tags:        map[Type]string{"CarePlan": `{"code":"SUBSETTED"}`},
	Open:        map[Type]bool{"Organization": true, "Practitioner": true},
	OpenSystems: map[string]bool{"urn:her": true},
}

// trimBodies are documents in which something goes at every place where something may: members and elements, first,
// last and alone, what is emptied by it, and siblings.
var trimBodies = []string{
	`{"resourceType":"CarePlan","id":"a","meta":{"versionId":"1","tag":[{"code":"x"} , {"code":"y"}],"security":[{"code":"plan"}]},
 "text":{"status":"generated","div":"<div>kanari</div>"},"contained":[{"resourceType":"Goal","id":"g","text":{"div":"kanari"},"subject":{"reference":"Patient/p","display":"kanari"}},
  {"resourceType":"Medication","id":"m","manufacturer":{"display":"kanari"}}],
 "subject":{"reference":"Patient/p","display":"kanari","_display":{"id":"x"},"identifier":{"value":"kanari","assigner":{"display":"kanari"}}},
 "addresses":[{"display":"kanari"},{"type":"Condition","identifier":{"value":"kanari"}}],
 "supportingInfo":[ {"reference":"Observation/o","display":"kanari"} , {"display":"kanari"},{"reference":"Observation/p"} ],
 "contributor":[{"identifier":{"system":"urn:her","value":"1"},"display":"Bydel"},{"identifier":{"value":"kanari","system":"urn:x"}},{"type":"Practitioner","display":"Rita"}],
 "careTeam":[{"extension":[{"url":"http://example.org/x","valueReference":{"display":"kanari"}}],"reference":"CareTeam/c"}],
 "author":{"reference":"Organization/o","display":"Bydel","identifier":{"assigner":{"reference":"Patient/x","display":"kanari"}}},
 "_title":{"extension":[{"valueReference":{"display":"kanari"}}]},"title":"Plan \"a\" \u00e5 \\",
 "activity":[{"detail":{"status":"in-progress","description":"x","location":{"reference":"Location/l","display":"kanari"}}},
  {"detail":{"status":"in-progress","goal":[{"display":"kanari"}]},"reference":{"reference":"Task/t","display":"kanari"}},{"reference":{"display":"kanari"}}]}`,
	`{"resourceType":"CarePlan","meta":{"versionId":"2"},"activity":[ {"id":"1"} , {"id":"2"} ],"addresses":[{"display":"kanari"}],"subject":{"display":"kanari"}}`,
	"\n" + ` { "resourceType" : "Communication" , "statusReason" : { "text" : "kanari" } , "meta":{}, "status":"completed" } ` + "\n",
	`{"id":"q","resourceType":"QuestionnaireResponse","text":{"div":"kanari"},"status":"completed","item":[{"linkId":"1","item":[{"linkId":"1.1","answer":[{"valueString":"a"},{"valueReference":{"reference":"Patient/p","display":"kanari"}}]},{"linkId":"1.2"}]},
  {"linkId":"2","answer":[{"item":[{"linkId":"2.1"}],"valueInteger":-1.50e+3}]}]}`,
	`{"resourceType":"Patient","id":"p","name":[{"given":["A",null,"C"],"_given":[null,{"id":"x"},{"extension":[{"url":"u","valueReference":{"display":"kanari"}}]}],"family":"F"}],
  "birthDate":"2000-01-01","_birthDate":{"extension":[{"url":"u","valueDateTime":"2000-01-01T00:00:00Z"}]},"telecom":[{"value":"1"}],"link":[{"other":{"display":"kanari"},"type":"seealso"}],"deceasedBoolean":true}`,
	`{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Goal","text":{"div":"stays"},"subject":{"display":"kanari"}}},{"resource":{"resourceType":"Unheard","subject":{"display":"?"}}}]}`,
	`{"resourceType":"Goal","contained":{"resourceType":"Patient","text":{"a":1}},"text":[{"div":"x"}],"subject":[[{"display":"?"}]],"unknown":{"subject":{"display":"?"}}}`,
	`{"resourceType":"Goal","\u0074ext":{"div":"kanari"},"subject":{"r\u0065ference":"Patient/p","display":"kanari"},"addresses":[{"reference":"Condition\/c","display":"kanari"}]}`,
	`{"resourceType":"Goal","addresses":[{"reference":"Condition/c"}],"_addresses":[{"id":"a"}],"_subject":{"id":"x"},"subject":{"display":"kanari"}}`,
	`{"resourceType":"Goal","_text":{"id":"x"},"text":{"div":"kanari"},"note":[{"authorReference":{"_display":{"extension":[{"url":"u","valueString":"kanari"}]},"reference":"Patient/p"},"text":"n"}]}`,
	`{"resourceType":"CarePlan"}`, `{"resourceType":"CarePlan","meta":{"tag":{"code":"x"}}}`, `{"resourceType":"CarePlan","meta":[]}`, `[]`, `{}`, `{"resourceType":7}`, `{"resourceType":"Goal","subject":{"reference":7,"display":"?"}}`,
}

// TestTrimIsTheEditor trims documents with random white space and random paths in one reading and by an Editor, and asks
// for the same bytes wherever the one reading does not decline; it may decline only what it must.
func TestTrimIsTheEditor(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	at, whole := make([]int, len(trimBodies)), make([]int, len(trimBodies))
	for round := range 10_000 {
		random := rand.New(rand.NewPCG(seed, uint64(round)))
		which := random.IntN(len(trimBodies))
		body := []byte(trimBodies[which])
		if random.IntN(2) == 0 {
			body = spaced(random, body)
		}
		var paths []string
		if res, err := Parse(body); err == nil {
			all := expressions(res.root, nil)
			for range random.IntN(4) {
				if path := all[random.IntN(len(all))]; !strings.Contains(path, "meta") || random.IntN(20) == 0 {
					paths = append(paths, path)
				}
			}
			if random.IntN(20) == 0 {
				paths = append(paths, "CarePlan.activity[7]")
			}
		}
		got, ok := inOneReading([]byte("before"), body, paths)
		if !ok {
			continue
		}
		if at[which]++; len(paths) == 0 {
			whole[which]++
		}
		want, err := trimmed.edit([]byte("before"), body, Limits{}, paths)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("seed %d round %d: less %v of\n%s\ngot  %s\nwant %s %v", seed, round, paths, body, got, want, err)
		}
		if bytes.Contains(got, []byte("kanari")) {
			t.Fatalf("seed %d round %d: left in %s", seed, round, got)
		}
	}
	for i, n := range at[:6] {
		if n < 250 {
			t.Errorf("seed %d: document %d was trimmed in one reading only %d times", seed, i, n)
		}
	}
	for i, n := range whole[7:] {
		if n > 0 {
			t.Errorf("seed %d: %s is not to be trimmed in one reading", seed, trimBodies[7+i])
		}
	}
}

func inOneReading(dst, body []byte, paths []string) ([]byte, bool) {
	return trimmed.quick(dst, body, paths)
}

// spaced puts white space where JSON allows it.
func spaced(random *rand.Rand, body []byte) []byte {
	var out []byte
	quoted := false
	for i := 0; i < len(body); i++ {
		c := body[i]
		if c == '"' {
			quoted = !quoted
		}
		if quoted && c == '\\' {
			out = append(out, c, body[i+1])
			i++
			continue
		}
		if !quoted && strings.IndexByte("{}[],:", c) >= 0 && random.IntN(3) == 0 {
			out = append(out, " \t\n\r"[random.IntN(4)], c, ' ')
			continue
		}
		out = append(out, c)
	}
	return out
}

// expressions gives the paths of all values below one, as Resource.At reads them.
func expressions(v *Value, out []string) []string {
	below := v.Items()
	for _, m := range v.Members() {
		below = append(below, m.Value)
	}
	for _, c := range below {
		path := c.Expression()
		if name := c.Name(); strings.HasPrefix(name, "_") {
			continue
		}
		out = expressions(c, append(out, path))
	}
	return out
}

// Cut short at any byte, or with any byte changed, a document is never trimmed otherwise than the Editor does it.
func TestTrimOfDamage(t *testing.T) {
	t.Parallel()
	for _, body := range trimBodies[:6] {
		for i := range body {
			for _, c := range []byte(`{}[]",:\ _0x`) {
				damaged := []byte(body[:i] + string(c) + body[i+1:])
				got, ok := inOneReading(nil, damaged, nil)
				if !ok {
					continue
				}
				if want, err := trimmed.edit(nil, damaged, Limits{}, nil); err == nil && !bytes.Equal(got, want) {
					t.Fatalf("%s:\ngot  %s\nwant %s", damaged, got, want)
				}
			}
			if _, ok := inOneReading(nil, []byte(body[:i]), nil); ok && i < len(strings.TrimSpace(body)) {
				t.Fatalf("trimmed %s", body[:i])
			}
		}
	}
}

func FuzzTrim(f *testing.F) {
	for _, body := range trimBodies {
		f.Add([]byte(body), "CarePlan.activity[0]")
	}
	f.Fuzz(func(t *testing.T, body []byte, path string) {
		for _, paths := range [][]string{nil, {path}} {
			got, ok := inOneReading(nil, body, paths)
			if !ok {
				continue
			}
			if want, err := trimmed.edit(nil, body, Limits{}, paths); err == nil && !bytes.Equal(got, want) {
				t.Errorf("less %v of %s:\ngot  %s\nwant %s", paths, body, got, want)
			}
		}
	})
}
