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
// The rules themselves, and every number that a jurist may want to change, live in package
// policies. Nothing here reads a database, a clock or the network.
package consent
