package rest

import (
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/sluse/sluse/gateway"
)

// Media types of R4 (R4 http.html#mime-type).
const (
	fhirJSON  = "application/fhir+json"
	plainJSON = "application/json"
	fhirXML   = "application/fhir+xml"
	plainXML  = "application/xml"
	textXML   = "text/xml"
	formData  = "application/x-www-form-urlencoded"
)

// negotiate chooses the media type of the answer: _format first, then Accept. Turtle is 406.
func negotiate(r *http.Request) (string, error) {
	unacceptable := refuse(http.StatusNotAcceptable, gateway.MediaType, "http.accept")
	if query, err := url.ParseQuery(r.URL.RawQuery); err == nil && query.Has("_format") {
		format, ok := formatNamed(query["_format"])
		if !ok {
			return "", unacceptable
		}
		return format, nil
	}
	accept := r.Header.Values("Accept")
	if len(accept) == 0 {
		return fhirJSON, nil
	}
	best, weight := "", 0.0
	for _, one := range strings.Split(strings.Join(accept, ","), ",") {
		format, q := accepted(one)
		if q > weight || (q == weight && q > 0 && format == fhirJSON) {
			best, weight = format, q
		}
	}
	if best == "" {
		return "", unacceptable
	}
	return best, nil
}

// formatNamed reads _format (R4 http.html#parameters). A "+" that was not escaped arrives as a space.
func formatNamed(values []string) (string, bool) {
	if len(values) != 1 {
		return "", false
	}
	switch name, _, _ := strings.Cut(values[0], ";"); strings.ReplaceAll(name, " ", "+") {
	case "json", fhirJSON:
		return fhirJSON, true
	case plainJSON, "text/json":
		return plainJSON, true
	case "xml", fhirXML:
		return fhirXML, true
	case plainXML, textXML:
		return name, true
	}
	return "", false
}

// accepted gives the format that one range of an Accept header allows, and its weight.
func accepted(one string) (format string, q float64) {
	name, params, err := mime.ParseMediaType(one)
	if err != nil {
		return "", 0
	}
	if v := params["fhirversion"]; v != "" && v != "4.0" {
		return "", 0
	}
	switch name {
	case fhirJSON, "*/*", "application/*":
		format = fhirJSON
	case plainJSON, fhirXML, plainXML, textXML:
		format = name
	default:
		return "", 0
	}
	q = 1
	if s, ok := params["q"]; ok {
		if q, err = strconv.ParseFloat(s, 64); err != nil || q < 0 || q > 1 {
			return "", 0
		}
	}
	return format, q
}

// isXML tells whether a media type is one of XML.
func isXML(contentType string) bool {
	name, _, _ := strings.Cut(contentType, ";")
	switch strings.ToLower(strings.TrimSpace(name)) {
	case fhirXML, plainXML, textXML:
		return true
	}
	return false
}

// isPacked tells whether a body comes by gzip.
func isPacked(h http.Header) bool {
	coding := h.Values("Content-Encoding")
	return len(coding) == 1 && (strings.EqualFold(coding[0], "gzip") || strings.EqualFold(coding[0], "x-gzip"))
}

// contentIs checks the media type of a body: one of names, UTF-8, as it is or by gzip.
func contentIs(h http.Header, names ...string) error {
	if coding := h.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") && !isPacked(h) {
		return fault(gateway.MediaType, "http.content-encoding", "http.Content-Encoding")
	}
	if len(h.Values("Content-Type")) != 1 {
		return fault(gateway.MediaType, "http.content-type", "http.Content-Type")
	}
	name, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return fault(gateway.MediaType, "http.content-type", "http.Content-Type")
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return fault(gateway.MediaType, "http.charset", "http.Content-Type")
	}
	if v := params["fhirversion"]; v != "" && v != "4.0" {
		return fault(gateway.MediaType, "http.content-type", "http.Content-Type")
	}
	for _, n := range names {
		if name == n {
			return nil
		}
	}
	return fault(gateway.MediaType, "http.content-type", "http.Content-Type")
}

// language chooses between bokmål and English by Accept-Language; bokmål unless English is asked
// for first.
func language(h http.Header) string {
	return spoken(h, map[string]string{"nb": "nb", "no": "nb", "nn": "nb", "da": "nb", "sv": "nb", "en": "en"})
}

// tongue is language where there are texts in nynorsk too.
func tongue(h http.Header) gateway.Language {
	return gateway.Language(spoken(h, map[string]string{"nb": "nb", "no": "nb", "nn": "nn", "da": "nb", "sv": "nb", "en": "en"}))
}

// spoken gives what stands for the language that weighs most, of those that are known; "nb" when none is.
func spoken(h http.Header, known map[string]string) string {
	best, weight := "nb", 0.0
	for _, one := range strings.Split(h.Get("Accept-Language"), ",") {
		tag, params, _ := strings.Cut(strings.TrimSpace(one), ";")
		primary, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
		q := 1.0
		if s, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			var err error
			if q, err = strconv.ParseFloat(s, 64); err != nil {
				continue
			}
		}
		if lang, ok := known[primary]; ok && q > weight {
			best, weight = lang, q
		}
	}
	return best
}
