package gateway

import "context"

// outsideEmergency tells whether emergency access asks for more than it may: reading, and searching by
// the patient it is bound to, with a reason, and nothing else (DESIGN § 3, Emergency). The directory is
// read by everybody.
func outsideEmergency(a Actor, in Interaction) bool {
	if a.Purpose != BreakTheGlass {
		return false
	}
	bound := !a.Attest.NIN.IsZero() && a.Reason != ""
	switch in.Code {
	case Read, VRead, History:
		return !IsDirectory(in.Target.Type) && !bound
	case Find:
		if IsDirectory(in.Target.Type) && !throughRecords(in.Search) {
			return false
		}
		return !bound || in.Search.Subject.IsZero()
	}
	return true
}

// refuseEmergency makes the refusal durable before it is told.
func (g *Gateway) refuseEmergency(ctx context.Context, a Actor, in Interaction) error {
	who, _, err := g.writer(ctx, a)
	if err != nil {
		return err
	}
	entry, err := g.refusal(who, in, 0, Forbidden)
	if err != nil {
		return err
	}
	if err := g.record(ctx, []AuditEntry{entry}, nil); err != nil {
		return err
	}
	return forbidden("gateway.emergency", "emergency-limited")
}

// withoutEmergency refuses emergency access to what it never has.
func withoutEmergency(a Actor) error {
	if a.Purpose != BreakTheGlass {
		return nil
	}
	return forbidden("gateway.emergency", "emergency-limited")
}
