package store

// A Pauser is what a Store of this process's memory may be besides: it marks tags without giving them new tokens, so
// that what is kept of them isn't found for a while, and is found again after that.
//
// Its Lookup must look at the marks before the tokens as well as after them. By the marks after them alone a reader would
// find an entry that a write has changed: the token is read when the change is visible and the tag of the change has not
// its new one yet; then that is given and the mark taken away; then the reader finds no mark. Another reader may have
// seen the change before that.
type Pauser interface {
	// Pause marks each tag as held by id. The mark lasts until Resume, or Hold, Renew or Release by the same id.
	Pause(id HoldID, tags []Tag)

	// Resume takes the marks of id away from tags, which keep their tokens.
	Resume(id HoldID, tags []Tag)
}
