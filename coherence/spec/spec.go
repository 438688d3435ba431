// Package spec holds the Promela model of the coherence of one tag, and the test
// that has it checked.
package spec
