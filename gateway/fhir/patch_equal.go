package fhir

import "strings"

// equalNode compares as RFC 6902 § 4.6 says: strings by their characters, numbers by their
// value without loss (1.0 equals 1.00), arrays in order, objects in any order.
func equalNode(n *patchNode, v *Value) bool {
	if n.Kind() != v.kind {
		return false
	}
	switch v.kind {
	case Number:
		return equalNumber(n.value.text, v.text)
	case Array:
		if !n.changed && len(n.value.items) != len(v.items) {
			return false
		}
		items := n.Items()
		if len(items) != len(v.items) {
			return false
		}
		for i, item := range items {
			if !equalNode(item, v.items[i]) {
				return false
			}
		}
		return true
	case Object:
		if !n.changed && len(n.value.members) != len(v.members) {
			return false
		}
		n.open()
		if len(n.kids) != len(v.members) {
			return false
		}
		names := make(map[string]*patchNode, len(n.kids))
		for _, k := range n.kids {
			names[k.name] = k
		}
		for _, m := range v.members {
			if k := names[m.Name]; k == nil || !equalNode(k, m.Value) {
				return false
			}
		}
		return true
	}
	return n.value.text == v.text
}

// equalNumber compares two JSON numbers by value. Those with an exponent of more than nine digits
// are equal only when written alike: compareDecimal bounds what it reads of an exponent.
func equalNumber(a, b string) bool {
	if a == b {
		return true
	}
	if newDecimal(a).sign == 0 || newDecimal(b).sign == 0 {
		return newDecimal(a).sign == newDecimal(b).sign
	}
	return !hugeExponent(a) && !hugeExponent(b) && compareDecimal(a, b) == 0
}

func hugeExponent(number string) bool {
	i := strings.IndexAny(number, "eE")
	return i >= 0 && len(strings.TrimLeft(number[i+1:], "+-0")) > 9
}
