package gateway_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
)

// A samtykke that is dated ahead and does not say when it begins is refused, since it would hold
// for nobody until then. One that says when it begins, is but a clock's error ahead, only denies, or
// is no longer active, is not. The world's clock shows 2 November 2026, 09:00 UTC.
func TestConsentDatedAhead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	dated := func(date, start string) string {
		body := strings.Replace(consentOf(p, []string{"plan"}, ous), `"dateTime":"2026-11-01"`, `"dateTime":"`+date+`"`, 1)
		return strings.Replace(body, `"start":"2026-11-01"`, start, 1)
	}
	for _, body := range []string{
		dated("2026-11-02T09:06:00Z", `"id":"p"`), dated("2026-11-03", `"id":"p"`), dated("2027", `"id":"p"`),
	} {
		_, err := w.post(at(bydel), body)
		wantCode(t, err, gateway.Invalid)
		var fault *gateway.Error
		if !errors.As(err, &fault) || len(fault.Issues) != 1 || fault.Issues[0].Code != "consent.dated-ahead" || fault.Issues[0].Expression != "Consent.dateTime" {
			t.Errorf("%v", err)
		}
	}
	w.mustPost(at(bydel), dated("2026-11-02T09:04:00Z", `"id":"p"`))
	w.mustPost(at(bydel), dated("2026-11-02", `"id":"p"`))
	w.mustPost(at(bydel), dated("2026-11-20", `"start":"2026-11-20"`))
	w.mustPost(at(bydel), strings.Replace(dated("2026-11-20", `"id":"p"`), `"type":"permit"`, `"type":"deny"`, 1))
	w.mustPost(at(bydel), strings.Replace(dated("2026-11-20", `"id":"p"`), `"status":"active"`, `"status":"inactive"`, 1))
}
