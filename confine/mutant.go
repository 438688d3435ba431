package confine

import "github.com/larderdb/larder/analyze"

// A mutant leaves one rule out, to prove that a test would see it. Programs have none.
type mutant uint8

// The rules that can be left out.
const (
	noMutant          mutant = iota
	absenceAsRow             // a condition of WHERE that is true of NULL confines a source for which an outer join found no row
	outerAsInner             // what ON of an outer join says confines the rows that it keeps in any case
	starsUnseen              // a reference of all columns looks at those alone that are named
	computedUntouched        // an UPDATE leaves columns as they are that are computed from others
)

func (m mutant) String() string {
	return [...]string{"noMutant", "absenceAsRow", "outerAsInner", "starsUnseen", "computedUntouched"}[m]
}

// mutants are those of rows.
var mutants = []mutant{absenceAsRow, outerAsInner}

// joined are the sources of a FROM clause as the judge joins them.
func (j *judge) joined(sources []analyze.Source) []analyze.Source {
	if j.mutant != outerAsInner {
		return sources
	}
	inner := make([]analyze.Source, len(sources))
	for i, s := range sources {
		inner[i] = s
		inner[i].Join = analyze.Inner
	}
	return inner
}

// absent are the sources of a block that are NULL where they have no row.
func (j *judge) absent(f *frame) map[*leaf]bool {
	if j.mutant == absenceAsRow {
		return nil
	}
	return f.root.gaps()
}
