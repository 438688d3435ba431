// Package guide checks what docs/guide claims: that its Go code compiles, that each Reason is had as its example says, and
// what ORMs' writes remove.
package guide
