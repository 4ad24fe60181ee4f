package console

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
)

// TestNumberIsNotRepeated: a national identifier in a URL is refused before anything repeats it, as the redirect of a path
// that is not clean would.
func TestNumberIsNotRepeated(t *testing.T) {
	asked := false
	mux := http.NewServeMux()
	mux.HandleFunc("/console/", func(http.ResponseWriter, *http.Request) { asked = true })
	h := guarded(mux, (&console{Config{Clock: time.Now, Log: slog.New(slog.DiscardHandler)}}).serve("", func(q *call) (page, error) { return page{}, guard(q.r) }))
	const number = "12859200212"
	for _, target := range []string{"/console//" + number, "/console/./" + number, "/console?x=" + number, "/console/" + number, "/console//x?y=1285920%30212"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
		if w.Code != http.StatusBadRequest || asked {
			t.Errorf("%s: status %d, answered by the mux: %v", target, w.Code, asked)
		}
		for name, values := range w.Header() {
			if strings.Contains(strings.Join(values, " "), number) {
				t.Errorf("%s: %s repeats the number", target, name)
			}
		}
		if strings.Contains(w.Body.String(), number) {
			t.Errorf("%s: the page repeats the number", target)
		}
	}
}

// TestConfigTellsAllThatIsMissing: every field that is required is named at once.
func TestConfigTellsAllThatIsMissing(t *testing.T) {
	_, err := Handler(Config{})
	for _, name := range []string{"Gateway", "Authenticator", "Translator", "Clock"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named: %v", name, err)
		}
	}
}

// TestRefusalIsItsCode: what a refusal tells depends on its code and on nothing else.
func TestRefusalIsItsCode(t *testing.T) {
	for code := range refusals {
		var bodies [2]string
		for i, err := range []error{gateway.Failed("a", code, errors.New("hemmelig")), gateway.Failed("b", code, context.Canceled)} {
			w := httptest.NewRecorder()
			respond(&call{w: w, r: httptest.NewRequest(http.MethodGet, "/console/", nil)}, page{}, err)
			bodies[i] = w.Body.String()
		}
		if bodies[0] != bodies[1] || strings.Contains(bodies[0], "hemmelig") {
			t.Errorf("%s: %s", code, bodies[0])
		}
	}
}
