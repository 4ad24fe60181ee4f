package conformance_test

import (
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"testing"
)

// document is what these tests read of a business document.
type document struct {
	id, kind, msgID, original, status, reason string
	raw                                       []byte
}

func (w *ward) drain(t *testing.T, c *client, each func(document)) {
	t.Helper()
	for {
		a := c.must(http.StatusOK, http.MethodGet, "/edi/Messages?MessagesToFetch=100&ReceiverHerIds="+c.herID, nil)
		var listed []struct{ ID string }
		if err := json.Unmarshal(a.body, &listed); err != nil {
			t.Fatalf("mailbox: %v: %s", err, a.body)
		}
		if len(listed) == 0 {
			return
		}
		for _, m := range listed {
			each(c.fetch(t, m.ID))
			c.must(http.StatusNoContent, http.MethodPut, "/edi/Messages/"+m.ID+"/read/"+c.herID, nil)
		}
	}
}

// fetch gets a business document and reads its head.
func (c *client) fetch(t *testing.T, id string) document {
	t.Helper()
	a := c.must(http.StatusOK, http.MethodGet, "/edi/Messages/"+id+"/business-document", nil)
	var envelope struct{ BusinessDocument string }
	if err := json.Unmarshal(a.body, &envelope); err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(envelope.BusinessDocument)
	if err != nil {
		t.Fatal(err)
	}
	var head struct {
		XMLName  xml.Name
		MsgID    string `xml:"MsgInfo>MsgId"`
		Original string `xml:"OriginalMsgId>Id"`
		Status   struct {
			V string `xml:"V,attr"`
		} `xml:"Status"`
		Error []struct {
			V  string `xml:"V,attr"`
			DN string `xml:"DN,attr"`
			OT string `xml:"OT,attr"`
		} `xml:"Error"`
	}
	if err := xml.Unmarshal(raw, &head); err != nil {
		t.Fatalf("business document: %v", err)
	}
	return document{id, head.XMLName.Local, head.MsgID, head.Original, head.Status.V, fmt.Sprint(head.Error), raw}
}
