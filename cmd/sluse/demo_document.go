package main

import (
	"bytes"
	"crypto/rand"
	"embed"
	"fmt"
	"text/template"
	"time"
)

// storyFiles are the documents of the story: FHIR JSON and XML as a system would hand them in,
// with places for what is not known before the story is told.
//
//go:embed story
var storyFiles embed.FS

// person is a synthetic person. The number is of the test series (month + 80), which is never
// given to anybody.
type person struct{ NIN, Given, Family, Birth string }

var (
	kari          = person{"12859200212", "Kari", "Syntetisk", "1992-05-12"}
	unknownPerson = person{"09848800292", "Ukjent", "Syntetisk", "1988-04-09"}
)

// pair is who writes to whom about Kari.
type pair struct {
	From, To string
	Kari     person
}

// document fills in a file of the story. data is pairs of name and value.
func (s *story) document(file string, data ...any) []byte {
	if s.err != nil {
		return nil
	}
	values := map[string]any{"Kari": s.kari}
	for i := 0; i+1 < len(data); i += 2 {
		values[fmt.Sprint(data[i])] = data[i+1]
	}
	t, err := template.New(file).Option("missingkey=error").Funcs(template.FuncMap{
		"canary": canary,
		"ref":    s.reference,
		"org":    func(name string) string { return s.people[name].Organization },
		"her":    func(name string) string { return s.people[name].HERID },
		"name":   func(name string) string { return s.people[name].Party },
		"pair":   func(from, to string) pair { return pair{from, to, s.kari} },
		"uuid":   uuid,
		"now":    func() string { return s.now.UTC().Format("2006-01-02T15:04:05Z") },
		"local":  func() string { return s.now.Format("2006-01-02T15:04:05") },
		"day":    func(n int) string { return s.now.AddDate(0, 0, n).Format(time.DateOnly) },
		"workday": func(n int) string {
			return workday(s.now, n).Format(time.DateOnly)
		},
	}).ParseFS(storyFiles, "story/"+file, "story/parties.xml")
	if err != nil {
		s.err = err
		return nil
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, file, values); err != nil {
		s.err = err
	}
	return b.Bytes()
}

// reference gives "Type/id" of what the story stored under the key.
func (s *story) reference(key string) (string, error) {
	ref, ok := s.refs[key]
	if !ok {
		return "", fmt.Errorf("nothing is stored under %q", key)
	}
	return ref, nil
}

// workday is n days on, Saturdays and Sundays left out.
func workday(from time.Time, n int) time.Time {
	for n > 0 {
		from = from.AddDate(0, 0, 1)
		if d := from.Weekday(); d != time.Saturday && d != time.Sunday {
			n--
		}
	}
	return from
}

// uuid makes a MsgId (RFC 9562 version 4).
func uuid() (string, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:]), nil
}
