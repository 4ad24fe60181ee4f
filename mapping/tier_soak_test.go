//go:build soak

package mapping

const generatedMessages = 10_000
