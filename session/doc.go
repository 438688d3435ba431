// Package session is one connection as the cache sees it: its settings, its
// transaction, the read path and the write path.
//
// A Session is used by one goroutine at a time, as database/sql uses a driver's
// connection. What sessions of one connector share is in their Source; what all
// sessions of one database share is in its database.
package session
