// Package spec holds the Promela models of coherence, and the test that has them checked: of one tag, of how
// shapes come into use, of a store that evicts, of shapes that are remembered, of changes of the schema beside other processes,
// of a store that can't be reached, and of writes whose rows are told by the database's answer. docs/design/0009-model-and-code.md says which line of Go is which step.
package spec
