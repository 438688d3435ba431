// Package spec holds the Promela models of the coherence of one tag and of how
// shapes come into use, and the test that has them checked.
package spec
