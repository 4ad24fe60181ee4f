package postgres

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/sluse/sluse/gateway"
)

// What a message consists of is read as it was written: packed, and as bare JSON from before it was; and what is damaged is
// an error, never less than there was.
func TestContentOfMessage(t *testing.T) {
	t.Parallel()
	want := gateway.Content{
		Resources: []gateway.ContentResource{{Record: ref("CarePlan", "100-plan"), Section: "Innhold/Tiltak", Whole: true}},
		Reason:    gateway.ConsentMissing,
	}
	packed, err := packContent("test", want)
	if err != nil {
		t.Fatal(err)
	}
	bare, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	for name, form := range map[string][]byte{"packed": packed, "bare": bare} {
		if got, err := unpackContent("test", form); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, form := range map[string][]byte{"cut": packed[:len(packed)-3], "bare and cut": bare[:len(bare)-3], "nothing": nil} {
		if _, err := unpackContent("test", form); gateway.CodeOf(err) != gateway.Internal || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
