// Package consent decides what a samtykke covers. It is the policy decision point of the gateway:
// the only package that knows OPA, and the only one that reads a Consent.
//
// A Consent is read once, when it is stored, and becomes grants in normal form (Normalizer). A
// question is answered from the grants of one person by Rego's `scope` (Decider), which says which
// grants apply; Go turns them into predicates. The same question can be put to Rego's `releasable`
// (Formula), which is written straight from the formulas and reads the Consents themselves: tests
// hold the two, and SQL, to one answer. What a resource holds is found by the rules of
// policies/labels.rego (Labeller).
//
// A receiver may be named by a role for the person (fastlege, koordinator, primaerkontakt), or as a group of
// the policy data, by provision.actor.reference.identifier. Who has a role is told now, by the person's
// own Patient, or for its own records by who keeps them: Patient.generalPractitioner, or a CareTeam's
// participant.role (Volven 9034). What anybody else tells makes nobody a receiver. In a deny it is
// whoever anybody names, and everybody unless the registering party or the person tells who it is. A
// group is who was in it when the Consent was stored and is in it now; in a deny who was, and who is.
//
// What a custodian sends needs no more than the samtykke. What others read, are told of or write rests on
// the custodian or the person having registered or confirmed that version, or on an agreement, by which
// the registering party itself gains nothing. Withdrawn by another than the registering party or the
// person, it permits nothing more, and what it denied holds on.
//
// Why a question is answered as it is, is told by Decider.Weigh: each provision with what it won, what it
// lost to which other, or everything in which it misses. Package gateway puts that one structure into words.
// Decider.Suppose answers on grants that are drafted, or that were in force once, and remembers nothing.
//
// Checker holds the two against each other while the program runs, whenever a person's Consents have changed: on the
// requests that they tell apart (Classes), as many as a limit lets it ask; gateway.Watch calls it in the background.
//
// The rules themselves, and every number that a jurist may want to change, live in package
// policies. Nothing here reads a database, a clock or the network.
package consent
