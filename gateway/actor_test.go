package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// A number that shows in a log is the failure of promise P8, so every way to print is tried.
func TestNINNeverPrints(t *testing.T) {
	t.Parallel()
	const digits = "13817249374" // synthetic: month + 80
	n := NIN{digits: digits}
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	a := Actor{Self: n, Attest: Attest{NIN: n}}
	logger.Info("line", "nin", n, "actor", a, "pointer", &a)
	encoded, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		log.WriteString(fmt.Sprintf(verb, n))
		log.WriteString(fmt.Sprintf(verb, a))
		log.WriteString(fmt.Sprintf(verb, []NIN{n}))
	}
	all := log.String() + string(encoded)
	if strings.Contains(all, digits) || strings.Contains(all, fmt.Sprintf("%x", digits)) {
		t.Fatalf("a national number was printed: %s", all)
	}
	if _, err := NewNIN("13817249375"); err == nil || strings.Contains(err.Error(), "1381") {
		t.Fatalf("wrong check digits: got %v, want an error that does not repeat the number", err)
	}
}
