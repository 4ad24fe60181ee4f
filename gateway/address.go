package gateway

import (
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// Reception is what an address of the directory takes in. A service is addressed, not the organisation, and each
// takes some types of messages (tjenestebasert adressering, HIS 1153).
type Reception struct {
	Closed  bool        // it stands in the directory and is not in use: inactive, below one that is, or outside its period
	Refuses bool        // it does not take messages of the type
	Instead []Addressee // addresses in use of the same party that do, when it Refuses
}

// Receptions is a Directory that knows which address takes which messages. One that does not knows of no limits.
type Receptions interface {
	// Reception tells what the address does with a message of the type (kodeverk 8279) at that time. AppRecs are
	// refused nowhere. An address that names no types takes what no other address of its party has named. The zero
	// value is also given for an address that the directory does not have: nobody's, which Directory.Party tells.
	Reception(to HERID, kind string, at time.Time) Reception
	// Registered gives the resource that holds a HER-id, in use or not. false: none, or more than one.
	Registered(HERID) (fhir.Reference, bool)
	// Numbers lists the HER-ids of organisations, services and persons that stand in the directory, in use or not.
	Numbers() []HERID
}

func receptionOf(dir Directory, to HERID, kind string, at time.Time) Reception {
	if known, ok := dir.(Receptions); ok {
		return known.Reception(to, kind, at)
	}
	return Reception{}
}

// receivable refuses to order a message to an address that would not take it: its sender is told at once.
func receivable(dir Directory, to HERID, kind string, at time.Time) error {
	switch r := receptionOf(dir, to, kind, at); {
	case r.Closed:
		return refuseOrder("communication.recipient-closed", "Communication.recipient")
	case r.Refuses:
		return refuseOrder("communication.recipient-type", "Communication.recipient")
	}
	return nil
}

// notSendable tells why an order that was written earlier may not leave for its address any more; "" when it may.
func notSendable(dir Directory, to HERID, kind string, at time.Time) string {
	switch r := receptionOf(dir, to, kind, at); {
	case r.Closed:
		return "Ikke sendt: mottakeren er ikke i bruk."
	case r.Refuses:
		return "Ikke sendt: mottakeren tar ikke imot denne meldingstypen."
	}
	return ""
}

// MessageTypeSystem is kodeverk 8279, by which an Endpoint names the messages that it takes (Endpoint.payloadType, as
// no-basis-Endpoint has it) and a Communication what it is sent as.
const MessageTypeSystem = messageTypeSystem
