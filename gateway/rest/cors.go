package rest

import (
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"
)

// What a web application may send and read beside what every one may (Fetch § 3.3).
const (
	corsMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
	corsSent    = "Accept, Accept-Language, Authorization, Content-Encoding, Content-Type, DPoP, If-Match, If-Modified-Since, If-None-Exist, If-None-Match, Prefer, X-Request-Id"
	corsRead    = "Content-Location, ETag, Expires, Last-Modified, Location, Retry-After, WWW-Authenticate, X-Progress, X-Request-Id"
	corsSeconds = "600" // that a browser may remember
)

// cors tells a browser which web applications may read the answers: those that are configured, by
// default none. Cookies and whatever else a browser adds by itself are never let in
// (Access-Control-Allow-Credentials is not sent): a page that a person happens to visit cannot act
// for her. A preflight needs no token and is answered for every path alike.
func (a *api) cors(c *gin.Context) {
	if len(a.Origins) == 0 {
		return
	}
	h := c.Writer.Header()
	h.Add("Vary", "Origin")
	origin := c.Request.Header.Get("Origin")
	switch {
	case origin == "":
		return
	case slices.Contains(a.Origins, "*"):
		h.Set("Access-Control-Allow-Origin", "*")
	case slices.Contains(a.Origins, origin):
		h.Set("Access-Control-Allow-Origin", origin)
	default:
		return
	}
	h.Set("Access-Control-Expose-Headers", corsRead)
	if c.Request.Method != http.MethodOptions || c.Request.Header.Get("Access-Control-Request-Method") == "" {
		return
	}
	h.Set("Access-Control-Allow-Methods", corsMethods)
	h.Set("Access-Control-Allow-Headers", corsSent)
	h.Set("Access-Control-Max-Age", corsSeconds)
	h.Del("Allow")
	c.Abort()
	c.Status(http.StatusNoContent)
	c.Writer.WriteHeaderNow()
}
