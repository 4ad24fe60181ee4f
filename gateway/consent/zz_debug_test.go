package consent

import ("context";"testing";"os";"encoding/json";"fmt";"github.com/open-policy-agent/opa/v1/rego")

func DebugEval(in map[string]any, q string) {
	pq, _, err := prepare(context.Background(), q)
	if err != nil { fmt.Println(err); return }
	rs, err := pq.Eval(context.Background(), rego.EvalInput(in))
	b, _ := json.MarshalIndent(rs, "", " ")
	fmt.Println(q, string(b), err)
}
func TestZ(t *testing.T) { 
	b, err := os.ReadFile("/tmp/cons/input.json"); if err != nil { return }
	var m map[string]any; json.Unmarshal(b, &m)
	DebugEval(m, os.Getenv("Q"))
}
