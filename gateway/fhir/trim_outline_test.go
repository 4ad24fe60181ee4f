package fhir

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// TestOutlineIsTheEditor makes Outlines of documents with random white space and random parts, asks for every document
// less random ones of them, and demands the bytes of an Editor wherever an Outline serves; it may decline only what it
// must.
func TestOutlineIsTheEditor(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	made, served, less := make([]int, len(trimBodies)), make([]int, len(trimBodies)), make([]int, len(trimBodies))
	for round := range 10_000 {
		random := rand.New(rand.NewPCG(seed, uint64(round)))
		which := random.IntN(len(trimBodies))
		body := []byte(trimBodies[which])
		if random.IntN(2) == 0 {
			body = spaced(random, body)
		}
		var kind Type
		var parts []TrimPart
		if res, err := Parse(body); err == nil {
			kind = res.Type()
			elements := elementsOf(expressions(res.root, nil), random)
			for range random.IntN(5) {
				if len(elements) > 0 {
					parts = append(parts, TrimPart{Path: elements[random.IntN(len(elements))]})
				}
			}
			if random.IntN(30) == 0 {
				parts = append(parts, TrimPart{Path: "CarePlan.activity[7]"})
			}
		}
		outline := trimmed.Outline(kind, body, parts)
		if outline == nil {
			continue
		}
		made[which]++
		for range 3 {
			var paths []string
			for i := range parts {
				if parts[i].Goes = random.IntN(2) == 0; parts[i].Goes {
					paths = append(paths, parts[i].Path)
				}
			}
			got, ok := trimmed.Cut([]byte("before"), kind, body, outline, parts)
			if !ok {
				if string(got) != "before" {
					t.Fatalf("seed %d round %d: what is declined leaves %s", seed, round, got)
				}
				continue
			}
			if served[which]++; len(paths) > 0 {
				less[which]++
			}
			want, err := trimmed.edit([]byte("before"), body, Limits{}, paths)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("seed %d round %d: less %v of\n%s\ngot  %s\nwant %s %v", seed, round, parts, body, got, want, err)
			}
			if bytes.Contains(got, []byte("kanari")) {
				t.Fatalf("seed %d round %d: left in %s", seed, round, got)
			}
		}
	}
	for i := range 6 {
		if made[i] < 100 || served[i] < 200 {
			t.Errorf("seed %d: of document %d %d Outlines were made, and served %d times", seed, i, made[i], served[i])
		}
	}
	for _, i := range []int{0, 1, 3} {
		if less[i] < 5 {
			t.Errorf("seed %d: parts of document %d went only %d times", seed, i, less[i])
		}
	}
	for i, n := range made[7:] {
		if n > 0 {
			t.Errorf("seed %d: %s has an Outline", seed, trimBodies[7+i])
		}
	}
}

// elementsOf picks the paths of elements of arrays; now and then others too, of which there is no Outline.
func elementsOf(paths []string, random *rand.Rand) (list []string) {
	others := random.IntN(20) == 0
	for _, p := range paths {
		if strings.HasSuffix(p, "]") || others {
			list = append(list, p)
		}
	}
	return list
}

const outlined = `{"resourceType":"CarePlan","meta":{"versionId":"1"},"text":{"div":"kanari"},"title":"a","activity":[{"id":"1"},{"id":"2"},{"id":"3"}],"note":[{"text":"n"}]}`

// An Outline cuts any choice of its parts, and an array with all of them.
func TestOutlineCutsEachChoice(t *testing.T) {
	t.Parallel()
	parts := []TrimPart{{Path: "CarePlan.activity[2]"}, {Path: "CarePlan.activity[0]"}, {Path: "CarePlan.activity[1]"}}
	outline := trimmed.Outline("CarePlan", []byte(outlined), parts)
	for choice, want := range map[int]string{
		0: `,"activity":[{"id":"1"},{"id":"2"},{"id":"3"}]`, 1: `,"activity":[{"id":"1"},{"id":"2"}]`, 2: `,"activity":[{"id":"2"},{"id":"3"}]`,
		3: `,"activity":[{"id":"2"}]`, 4: `,"activity":[{"id":"1"},{"id":"3"}]`, 5: `,"activity":[{"id":"1"}]`, 6: `,"activity":[{"id":"3"}]`, 7: ``,
	} {
		for i := range parts {
			parts[i].Goes = choice>>i&1 == 1
		}
		want = `{"resourceType":"CarePlan","meta":{"versionId":"1","tag":[{"code":"SUBSETTED"}]},"title":"a"` + want + `,"note":[{"text":"n"}]}`
		if got, ok := trimmed.Cut(nil, "CarePlan", []byte(outlined), outline, parts); !ok || string(got) != want {
			t.Errorf("choice %d: %v\ngot  %s\nwant %s", choice, ok, got, want)
		}
	}
}

// An Outline serves the document, the parts and the rules that it was made of, and no others; nor when a byte of it is
// another.
func TestOutlineKnowsItsDocument(t *testing.T) {
	t.Parallel()
	body, parts := []byte(outlined), []TrimPart{{Path: "CarePlan.activity[0]"}, {Path: "CarePlan.activity[1]", Goes: true}}
	outline := trimmed.Outline("CarePlan", body, parts)
	cut := func(trim *Trim, body []byte, o Outline, parts []TrimPart) bool {
		out, ok := trim.Cut(nil, "CarePlan", body, o, parts)
		return ok || len(out) > 0
	}
	if !cut(trimmed, body, outline, parts) {
		t.Fatal("it does not serve its own")
	}
	if n := len(outline); n > 80 {
		t.Errorf("an Outline of %d bytes for %d", n, len(body))
	}
	for name, served := range map[string]bool{
		"another document": cut(trimmed, bytes.Replace(body, []byte("kanari"), []byte("kanarj"), 1), outline, parts),
		"less of it":       cut(trimmed, body[:len(body)-1], outline, parts),
		"fewer parts":      cut(trimmed, body, outline, parts[:1]),
		"other parts":      cut(trimmed, body, outline, []TrimPart{parts[1], parts[0]}),
		"a part more":      cut(trimmed, body, outline, append(parts[:2:2], TrimPart{Path: "CarePlan.activity[2]"})),
		"no members":       cut(&Trim{Tags: trimmed.Tags, Open: trimmed.Open, OpenSystems: trimmed.OpenSystems}, body, outline, parts),
		"no tags":          cut(&Trim{Members: trimmed.Members, Open: trimmed.Open, OpenSystems: trimmed.OpenSystems}, body, outline, parts),
		"none open":        cut(&Trim{Members: trimmed.Members, Tags: trimmed.Tags, OpenSystems: trimmed.OpenSystems}, body, outline, parts),
		"no systems":       cut(&Trim{Members: trimmed.Members, Tags: trimmed.Tags, Open: trimmed.Open}, body, outline, parts),
		"none":             cut(trimmed, body, nil, parts),
		"parts turned":     cut(trimmed, body, outline, []TrimPart{{Path: "CarePlan.activity[1]"}, {Path: "CarePlan.activity[0]"}}),
	} {
		if served {
			t.Errorf("an Outline serves %s", name)
		}
	}
	for i := range outline {
		for _, change := range []byte{1, 0x80, 0xff} {
			other := bytes.Clone(outline)
			other[i] ^= change
			if cut(trimmed, body, other, parts) {
				t.Errorf("an Outline with another byte %d serves", i)
			}
		}
		if cut(trimmed, body, outline[:i], parts) {
			t.Errorf("%d bytes of an Outline serve", i)
		}
	}
}

// The seal names the program text and the definitions that Outlines are made by.
func TestSealNamesTheText(t *testing.T) {
	t.Parallel()
	text := fstest.MapFS{"trim.go": {Data: []byte("a")}, "table.go": {Data: []byte("b")}}
	definitions := [32]byte{1}
	of := digest(text, definitions)
	for name, other := range map[string][32]byte{
		"another text":        digest(fstest.MapFS{"trim.go": {Data: []byte("b")}, "table.go": {Data: []byte("b")}}, definitions),
		"text that moved":     digest(fstest.MapFS{"trim.go": {Data: []byte("ab")}, "table.go": {}}, definitions),
		"a file less":         digest(fstest.MapFS{"trim.go": {Data: []byte("a")}}, definitions),
		"another definition":  digest(text, [32]byte{2}),
		"the program's own":   ownSource(),
		"no text and no rule": {},
	} {
		if of == other {
			t.Errorf("%s has the same seal", name)
		}
	}
	for _, file := range []string{"trim.go", "trim_quick.go", "trim_pass.go", "trim_outline.go", "table.go", "primitive.go", "editor.go"} {
		if text, err := trimSource.ReadFile(file); err != nil || len(text) < 500 {
			t.Errorf("%s is not among what is sealed: %v", file, err)
		}
	}
}

// A list that goes with all its elements, and stands first or deep down: the document stays one.
func TestOutlineOfWholeArrays(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"activity":[{"id":"1"}],"resourceType":"CarePlan","meta":{"versionId":"1"}}`:                            ``,
		`{"resourceType":"QuestionnaireResponse","item":[{"linkId":"1","item":[{"linkId":"2"}]}]}`:                `{"resourceType":"QuestionnaireResponse","item":[{"linkId":"1"}]}`,
		`{"resourceType":"QuestionnaireResponse","item":[{"item":[{"linkId":"2"}],"linkId":"1"}]}`:                ``,
		`{"resourceType":"QuestionnaireResponse","item":[{"linkId":"1","item":[{"linkId":"2"}],"text":"stays"}]}`: `{"resourceType":"QuestionnaireResponse","item":[{"linkId":"1","text":"stays"}]}`,
	} {
		kind, part := Type("QuestionnaireResponse"), TrimPart{Path: "QuestionnaireResponse.item[0].item[0]", Goes: true}
		if strings.Contains(body, "CarePlan") {
			kind, part.Path = "CarePlan", "CarePlan.activity[0]"
		}
		outline := trimmed.Outline(kind, []byte(body), []TrimPart{part})
		if got, ok := trimmed.Cut(nil, kind, []byte(body), outline, []TrimPart{part}); outline == nil || ok != (want != "") || string(got) != want {
			t.Errorf("%s\ngot  %s, %v\nwant %s", body, got, ok, want)
		}
	}
}

// A document with very many elements beside its parts is read each time, and cut all the same.
func TestOutlineIsBounded(t *testing.T) {
	t.Parallel()
	part := []TrimPart{{Path: "QuestionnaireResponse.item[0]", Goes: true}}
	for n, want := range map[int]bool{maxMarked: true, maxMarked + 1: false} {
		body := []byte(`{"resourceType":"QuestionnaireResponse","item":[{"linkId":"kanari"}` + strings.Repeat(`,{"linkId":"1"}`, n-1) + `]}`)
		if made := trimmed.Outline("QuestionnaireResponse", body, part) != nil; made != want {
			t.Errorf("%d elements: an Outline is made: %v, want %v", n, made, want)
		}
		if out, err := trimmed.Append(nil, body, Limits{}, []string{part[0].Path}); err != nil || bytes.Contains(out, []byte("kanari")) {
			t.Errorf("%d elements: %v", n, err)
		}
	}
}

// Whatever an Outline says whose sum is right, Cut does not panic, and leaves nothing behind when it declines.
func TestOutlineOfDamage(t *testing.T) {
	t.Parallel()
	body, parts := []byte(outlined), []TrimPart{{Path: "CarePlan.activity[0]"}, {Path: "CarePlan.activity[1]", Goes: true}}
	outline := trimmed.Outline("CarePlan", body, parts)
	random := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	for range 20_000 {
		o := bytes.Clone(outline)
		for range 1 + random.IntN(3) {
			o[headSize+random.IntN(len(o)-headSize)] = byte(random.IntN(256))
		}
		o = o[:len(o)-random.IntN(2)*random.IntN(len(o)-headSize)]
		Outline(o).bind(body, parts)
		if out, ok := trimmed.Cut(nil, "CarePlan", body, o, parts); !ok && len(out) > 0 {
			t.Fatalf("%x is declined, and leaves %s", o, out)
		}
	}
}
