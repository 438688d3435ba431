// Package page keeps HTTP responses and parts of pages that are as fresh as what they were made from.
//
//	mux.Handle("/stuff", page.Handler(cache, list, nil))
//
// What a handler reads through a larder handle, under the context of its request, is what its response depends on; the
// write that changes any of it removes the response. A response is found again only while all of it is as it was: a
// page read after an acknowledged write is never older than that write, as if there were no cache.
//
// Whose response it is is not told by a URL. So a response to a request that has a Cookie or an Authorization header, or that sets a
// cookie, is shared only where the handler, or Options.User, says that it may be. See Options, and docs/design/0013-pages.md.
//
// What a handler reads under another context than its request's isn't seen: db.Query instead of db.QueryContext, or a
// goroutine that goes on after it has returned. Nor is what it reads from elsewhere: a file, another service, the clock.
package page
