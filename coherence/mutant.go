package coherence

import (
	"fmt"

	"github.com/larderdb/larder/store"
)

// A Mutant leaves one step of the protocol out, to prove that a test would see
// it. Programs leave it zero.
type Mutant uint8

// The steps that can be left out.
const (
	NoMutant             Mutant = iota
	TokensAfterRead             // fill under tokens read after the database was
	NoHold                      // writers hold nothing
	NoTokenAtHold               // hold without new tokens
	HoldsFirst                  // readers look at holds before tokens
	ReleaseBeforeCommit         // holds are released before the commit
	RollbackKeepsHold           // a rolled-back write doesn't release
	JoinOvertakenFlights        // a reader takes the result of a flight without asking for its tags again
	MembersBeforeHold           // a writer reads the shapes in use only before it holds
	ShapeAfterRead              // a reader puts a shape in use after the database was read, unproposed
	ShapeUnderHold              // a reader puts a shape in use although a write is in flight
	AnyMembers                  // a reader keeps its result whatever the token that the shape was found with
	JoinWithoutToken            // a member joins whatever the tag's token
	PartKeepsToken              // a member parts without a new token
	RememberedShapes            // a writer doesn't look at the shapes in use after its marks
	HastySchema                 // a change of the schema doesn't wait for other processes
	LapsedSchema                // a change of the schema doesn't make sure of its marks before it waits
	EternalReliance             // a process that was stopped relies on the schema on
	UnheldMove                  // a process that finds the schema moved doesn't hold what its writes in flight leave out
	NoReady                     // a writer commits whatever has become of its hold
	NarrowInDoubt               // a writer whose hold wasn't in force announces no more than it was told
	NoFence                     // a process reads from a store that doesn't know of its write
	NoPause                     // a writer whose rows aren't known yet keeps nobody from them
	EarlyResume                 // … or only until it has told them
)

var mutantNames = [...]string{
	"NoMutant", "TokensAfterRead", "NoHold", "NoTokenAtHold", "HoldsFirst",
	"ReleaseBeforeCommit", "RollbackKeepsHold", "JoinOvertakenFlights",
	"MembersBeforeHold", "ShapeAfterRead", "ShapeUnderHold", "AnyMembers", "JoinWithoutToken", "PartKeepsToken",
	"RememberedShapes", "HastySchema", "LapsedSchema", "EternalReliance", "UnheldMove", "NoReady", "NarrowInDoubt", "NoFence",
	"NoPause", "EarlyResume",
}

// String returns the mutant's name as it is in Go.
func (m Mutant) String() string {
	if int(m) < len(mutantNames) {
		return mutantNames[m]
	}
	return fmt.Sprintf("Mutant(%d)", uint8(m))
}

// Mutants returns all mutants but NoMutant.
func Mutants() []Mutant {
	return []Mutant{
		TokensAfterRead, NoHold, NoTokenAtHold, HoldsFirst,
		ReleaseBeforeCommit, RollbackKeepsHold, JoinOvertakenFlights,
		MembersBeforeHold, ShapeAfterRead, ShapeUnderHold, AnyMembers, JoinWithoutToken, PartKeepsToken,
		RememberedShapes, HastySchema, LapsedSchema, EternalReliance, UnheldMove, NoReady, NarrowInDoubt, NoFence,
		NoPause, EarlyResume,
	}
}

// InStore reports whether the step is one that the store takes. Such a mutant
// needs a store with a method Mutate(Mutant), as the simulator's is.
func (m Mutant) InStore() bool {
	switch m {
	case NoTokenAtHold, HoldsFirst, JoinWithoutToken, PartKeepsToken:
		return true
	}
	return false
}

// OfShapes reports whether the step is one by which shapes come into use, or go.
func (m Mutant) OfShapes() bool { return m >= MembersBeforeHold && m <= PartKeepsToken }

// OfProcesses reports whether the step is one that several processes over one store need.
func (m Mutant) OfProcesses() bool { return m >= RememberedShapes && m <= NoFence }

// OfPauses reports whether the step is one of writes whose rows are told by the database's answer.
func (m Mutant) OfPauses() bool { return m >= NoPause && m <= EarlyResume }

// mutate tells the store to leave its step out, and panics if it can't.
func mutate(s store.Store, m Mutant) {
	if !m.InStore() {
		return
	}
	ms, ok := s.(interface{ Mutate(m Mutant) })
	if !ok {
		panic(fmt.Sprintf("coherence: %T can't leave out a step for %v", s, m))
	}
	ms.Mutate(m)
}
