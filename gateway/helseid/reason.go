package helseid

// Reason is why a token is refused: for the log. The caller is told that it
// has no valid token, never which of these.
type Reason string

// The reasons. None quotes the token.
const (
	Missing      Reason = "no bearer token"
	TooLong      Reason = "token too long"
	Unreadable   Reason = "token is not a JWT"
	BadHeader    Reason = "header field that is not understood"
	BadType      Reason = "typ is not at+jwt"
	BadAlgorithm Reason = "algorithm not allowed"
	UnknownKey   Reason = "no such key"
	BadSignature Reason = "signature does not hold"
	BadClaims    Reason = "claims are not one JSON object with each name once"
	BadIssuer    Reason = "another issuer"
	BadAudience  Reason = "another audience, or more than one"
	Expired      Reason = "expired"
	NotYet       Reason = "not valid yet"
	BadIssuedAt  Reason = "issued in the future"
	TooOld       Reason = "lifetime too long"
	NoTokenID    Reason = "no jti"
	NoClient     Reason = "no client_id"
	BadScope     Reason = "not exactly one scope that tells the kind of actor"
	BadOrg       Reason = "not exactly one organisation number"
	UnknownParty Reason = "organisation is no party"
	BadPerson    Reason = "person is not identified"
	WeakIdentity Reason = "identity is not on level 4"
	BadAttest    Reason = "attest does not fit the token"
	BadPurpose   Reason = "purpose is not one of the trust framework"
	BadPatients  Reason = "attest is not about exactly one patient"
	Unbound      Reason = "token and proof of possession do not belong together"
)

// Error gives the reason.
func (r Reason) Error() string { return string(r) }
