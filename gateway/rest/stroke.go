package rest

import (
	"context"
	"time"
)

// stroke is the time between two moments at which an answer without a record goes out. It is longer than such an
// answer takes on a machine that is not overloaded.
const stroke = 5 * time.Millisecond

// even lets an answer without a record wait for the next stroke since the request came in: a refusal, or a page
// with nothing in it. What is hidden takes a little longer to look for than what does not exist, and who asks often
// enough could tell by that. To wait costs nobody else anything; what holds a record does not wait.
func (a *api) even(r *request) {
	a.Pause(r.ctx, stroke-a.Clock().Sub(r.begun)%stroke)
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
