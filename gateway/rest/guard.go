package rest

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// guard refuses, before anything else looks at it, a request that is too large in its head or
// that carries a national identifier in its URL. The answer never repeats the number.
func (a *api) guard(c *gin.Context) {
	var err error
	switch {
	case len(c.Request.RequestURI) > maxURL:
		err = refuse(http.StatusRequestURITooLong, gateway.TooLarge, "http.url-too-long")
	case headerSize(c.Request) > maxHeader:
		err = refuse(http.StatusRequestHeaderFieldsTooLarge, gateway.TooLarge, "http.header-too-large")
	case urlHasNIN(c.Request.URL):
		err = fault(gateway.BadQuery, "nin.url")
	default:
		return
	}
	a.refuseWith(err)(c)
}

// refuseWith answers with the error and ends the request.
func (a *api) refuseWith(err error) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Abort()
		format, unacceptable := negotiate(c.Request)
		if unacceptable != nil {
			format = fhirJSON
		}
		r := &request{http: c.Request, writer: c.Writer, format: format}
		note(c, r, err)
		a.respond(c, r, answer{}, err)
	}
}

// headerSize counts the bytes of request line and fields as they were sent.
func headerSize(r *http.Request) int {
	n := len(r.Method) + len(r.RequestURI) + len(" ") + len(" HTTP/1.1\r\n") + len("Host: \r\n") + len(r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + len(v) + len(": \r\n")
		}
	}
	return n
}

// urlHasNIN looks for a national identifier anywhere in the URL, however often it was escaped.
func urlHasNIN(u *url.URL) bool {
	if fhir.ContainsNIN(u.Path) {
		return true
	}
	for _, s := range []string{u.EscapedPath(), u.RawQuery, u.Opaque, u.Fragment} {
		for range 4 {
			if fhir.ContainsNIN(s) {
				return true
			}
			plain := unescapeLoosely(s)
			if plain == s {
				break
			}
			s = plain
		}
	}
	return false
}

// unescapeLoosely decodes what is well escaped and leaves the rest, so that one broken escape does
// not hide a number behind it.
func unescapeLoosely(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if hi, lo := unhex(s[i+1]), unhex(s[i+2]); hi >= 0 && lo >= 0 {
				b.WriteByte(byte(hi<<4 | lo))
				i += 2
				continue
			}
		}
		if s[i] == '+' {
			b.WriteByte(' ')
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}
