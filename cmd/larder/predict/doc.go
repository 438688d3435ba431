// Package predict tells from a log what Larder would save: it replays the log's statements in their order through
// the same analysis, slices and protocol by which Larder caches, over a store in memory, without a database's rows.
// What rows a write changes that its text doesn't tell is learnt from earlier statements, or asked of a database, or
// assumed: Report.Assumptions says what was.
package predict
