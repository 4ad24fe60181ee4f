//go:build !soak

package mapping

// generatedMessages is how many messages the generator makes; the soak tier makes more.
const generatedMessages = 300
