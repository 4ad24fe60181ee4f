package consent_test
import ("testing";"os";"encoding/json";"github.com/sluse/sluse/gateway/consent/consenttest";"github.com/sluse/sluse/policies/cases")
func TestDump(t *testing.T) {
	w, all, _ := cases.Load()
	for _, c := range all { if c.Name == os.Getenv("CASE") { b, _ := json.MarshalIndent(consenttest.Make(t, w, c).Input, "", " "); os.WriteFile("/tmp/cons/input.json", b, 0o644) } }
}
