package fhir

import (
	"io"
	"iter"
)

// Link is a link of a Bundle: self, next.
type Link struct {
	Relation, URL string
}

// Entry is one entry of a Bundle. Resource holds the bytes of the resource as they leave and is
// written literally; what is empty is left out.
type Entry struct {
	FullURL  string
	Resource []byte
	Mode     string // search.mode: match, include, outcome

	Method, URL                string // request, in a history
	Status, ETag, LastModified string // response, in a history
}

// WriteSearchset writes a Bundle of type searchset (R4 bundle.html#searchset), total left out
// when nil. Nothing is re-encoded. The error is the writer's.
func WriteSearchset(w io.Writer, links []Link, total *int, entries iter.Seq[Entry]) error {
	return writeBundle(w, "searchset", links, total, entries)
}

// WriteHistory writes a Bundle of type history (R4 http.html#history).
func WriteHistory(w io.Writer, links []Link, total *int, entries iter.Seq[Entry]) error {
	return writeBundle(w, "history", links, total, entries)
}

func writeBundle(w io.Writer, kind string, links []Link, total *int, entries iter.Seq[Entry]) error {
	b := make([]byte, 0, 1024)
	b = appendString(append(b, `{"resourceType":"Bundle","type":`...), kind)
	if total != nil {
		b = append(append(b, `,"total":`...), itoa(*total)...)
	}
	for i, l := range links {
		if i == 0 {
			b = append(b, `,"link":[`...)
		} else {
			b = append(b, ',')
		}
		b = appendString(append(b, `{"relation":`...), l.Relation)
		b = append(appendString(append(b, `,"url":`...), l.URL), '}')
		if i == len(links)-1 {
			b = append(b, ']')
		}
	}
	first := true
	for e := range entries {
		if first {
			b = append(b, `,"entry":[{`...)
		} else {
			b = append(b, ",{"...)
		}
		first = false
		b = appendEntry(b, e)
		if len(b) >= 32<<10 {
			if _, err := w.Write(b); err != nil {
				return err
			}
			b = b[:0]
		}
	}
	if !first {
		b = append(b, ']')
	}
	_, err := w.Write(append(b, '}'))
	return err
}

// appendEntry writes the members of an entry and its closing brace.
func appendEntry(b []byte, e Entry) []byte {
	comma := false
	name := func(n string) {
		if comma {
			b = append(b, ',')
		}
		comma = true
		b = append(appendString(b, n), ':')
	}
	fields := func(n string, pairs ...string) {
		open := false
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i+1] == "" {
				continue
			}
			if !open {
				name(n)
				b = append(b, '{')
			} else {
				b = append(b, ',')
			}
			open = true
			b = append(appendString(b, pairs[i]), ':')
			b = appendString(b, pairs[i+1])
		}
		if open {
			b = append(b, '}')
		}
	}
	if e.FullURL != "" {
		name("fullUrl")
		b = appendString(b, e.FullURL)
	}
	if len(e.Resource) > 0 {
		name("resource")
		b = append(b, e.Resource...)
	}
	fields("search", "mode", e.Mode)
	fields("request", "method", e.Method, "url", e.URL)
	fields("response", "status", e.Status, "etag", e.ETag, "lastModified", e.LastModified)
	return append(b, '}')
}
