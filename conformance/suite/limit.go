package suite

import (
	"fmt"
	"net/http"
	"strings"
)

// checkLimits goes to each limit, and one beyond it.
func checkLimits(s *session) {
	const body = 2 << 20
	s.check("a body of 2 MiB is taken, one byte more is 413", func(t *trial) {
		sent := t.sampleOf("Task")
		full := sent + strings.Repeat(" ", body-len(sent))
		a := t.want(http.StatusCreated, t.ask(http.MethodPost, "/Task", []byte(full)), "2 MiB")
		if reference, ok := versioned(a.header.Get("Location")); ok {
			t.ask(http.MethodDelete, "/"+reference, nil)
		}
		t.refused(http.StatusRequestEntityTooLarge, t.ask(http.MethodPost, "/Task", []byte(full+" ")), "2 MiB and a byte")
	})
	s.check("64 parameters are taken, 65 are 400", func(t *trial) {
		query := "/Task?" + strings.Repeat("status=draft&", 63) + "status=draft"
		t.want(http.StatusOK, t.ask(http.MethodGet, query, nil), "64")
		t.refused(http.StatusBadRequest, t.ask(http.MethodGet, query+"&status=draft", nil), "65")
	})
	s.check("a URL over 8 KiB is 414", func(t *trial) {
		t.refused(http.StatusRequestURITooLong, t.ask(http.MethodGet, "/Task?identifier="+strings.Repeat("a", 8<<10), nil), "8 KiB")
	})
	s.check("_count is a number that is not negative", func(t *trial) {
		for _, v := range []string{"-1", "mange", "1.5"} {
			t.refused(http.StatusBadRequest, t.ask(http.MethodGet, "/Task?_count="+v, nil), "_count="+v)
		}
		t.want(http.StatusOK, t.ask(http.MethodGet, "/Task?_count=100000", nil), "_count=100000")
	})
	s.check("a Bundle of 1,000 entries is taken, one more is 413", func(t *trial) {
		if !t.statement.system("batch") {
			t.notApplicable("batch is not promised")
		}
		entry := fmt.Sprintf(`{"request":{"method":"GET","url":"Task/%s"}}`, absent)
		batch := func(n int) []byte {
			return []byte(`{"resourceType":"Bundle","type":"batch","entry":[` + strings.Repeat(entry+",", n-1) + entry + `]}`)
		}
		if got := len(t.want(http.StatusOK, t.ask(http.MethodPost, "", batch(1000)), "1,000").bundle().Entry); got != 1000 {
			t.errorf("%d answers to 1,000 entries", got)
		}
		t.refused(http.StatusRequestEntityTooLarge, t.ask(http.MethodPost, "", batch(1001)), "1,001")
	})
}
