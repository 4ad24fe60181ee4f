package fhir

import "strings"

// codeLevels tells, per code system whose codes spell out their hierarchy, where the levels of a
// code end; what is longer is a level of its own.
var codeLevels = map[string][]int{
	"urn:oid:2.16.578.1.12.4.1.1.7110": {3, 4, 5},       // ICD-10: F10, F10.2, F10.20, also written F102
	"http://hl7.org/fhir/sid/icd-10":   {3, 4, 5},       // ICD-10
	"urn:oid:2.16.578.1.12.4.1.1.7180": {1, 3, 4, 5, 7}, // ATC: N, N07, N07B, N07BB, N07BB04
	"http://www.whocc.no/atc":          {1, 3, 4, 5, 7}, // ATC
	"urn:oid:2.16.578.1.12.4.1.1.7170": {1, 3},          // ICPC-2: P, P19
	"http://hl7.org/fhir/sid/icpc-2":   {1, 3},          // ICPC-2
}

// hierarchical tells whether the server knows which codes of a system lie below which.
func hierarchical(system string) bool { return codeLevels[system] != nil }

// hierarchicalSystems lists those systems for a message.
func hierarchicalSystems() string {
	return "urn:oid:2.16.578.1.12.4.1.1.7110 (ICD-10), urn:oid:2.16.578.1.12.4.1.1.7180 (ATC), urn:oid:2.16.578.1.12.4.1.1.7170 (ICPC-2)"
}

// codesAbove gives the codes that a code lies below, the nearest last; nil when none is known.
func codesAbove(system, code string) []string {
	var list []string
	for _, n := range codeLevels[system] {
		if n >= len(code) {
			break
		}
		above := strings.TrimSuffix(code[:n], ".")
		if len(list) == 0 || list[len(list)-1] != above {
			list = append(list, above)
		}
	}
	return list
}

// maxLevels bounds the segments of a URL that :below and :above look at.
const maxLevels = 16

// urlsAbove gives the URLs that a URL lies under by the segments of its path, without slash at
// their end (R4 search.html#uri: only for URLs).
func urlsAbove(url string) []string {
	scheme := strings.Index(url, "://")
	if scheme < 0 {
		return nil
	}
	var list []string
	from := scheme + 3
	for range maxLevels {
		i := strings.IndexByte(url[from:], '/')
		if i < 0 {
			break
		}
		list = append(list, url[:from+i])
		from += i + 1
	}
	return list
}
