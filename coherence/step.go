package coherence

// A Step is a moment on the way of a read or write at which tests stop a process. Without the build tag
// larder_steps nothing is done there.
type Step string

// The steps of a write, in their order, and then those of a read.
const (
	StepHold      Step = "hold"      // the store is about to be told
	StepHeld      Step = "held"      // it was
	StepStatement Step = "statement" // a statement outside of transactions is about to be sent
	StepCommit    Step = "commit"    // a COMMIT is
	StepAnswered  Step = "answered"  // the database has answered it
	StepBehind    Step = "behind"    // the caller may have been, the store is about to be told
	StepReleased  Step = "released"  // it was; the caller not yet, unless the release was behind

	StepMissed Step = "missed" // tokens were seen, and no entry
	StepRead   Step = "read"   // the database has answered
	StepFilled Step = "filled" // the result was given to the store
)

// Steps are all of them.
var Steps = []Step{StepHold, StepHeld, StepStatement, StepCommit, StepAnswered, StepBehind, StepReleased, StepMissed, StepRead, StepFilled}
