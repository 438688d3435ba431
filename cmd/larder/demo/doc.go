// Package demo provides a small shop to see Larder at work in: a web page that tells
// what became of every statement, of the list (a fragment), and of the page itself, which
// are kept as well; and a workload that judges every read.
//
// The shop is an embedded SQLite file. It is opened three ways: bare, to compare with,
// and twice through Larder, so that what one handle changes the other must see.
package demo
