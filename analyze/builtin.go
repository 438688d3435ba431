package analyze

import "strings"

// PostgresStable reports whether PostgreSQL's own functions called name have been judged
// as stable ones: Analyze gives a Reason unless they depend only on their arguments
// and on settings of the session. A name that was known with immutable functions
// only, or not at all, has not.
func PostgresStable(name string) bool { return pgStableSet()[name] }

// Builtin reports whether name, folded as the dialect folds it, is a function
// that the database has itself, as far as this package knows them. Functions
// that users have defined under the same name may hide it.
func Builtin(d Dialect, name string) bool {
	switch d {
	case Postgres:
		return pgFunctionClasses()[name] != pgUserDefined
	case MySQL:
		name = strings.ToLower(name)
		return mysqlPure[name] || mysqlImpure[name] != Cacheable
	case SQLite:
		return SQLiteDeterministic(name) || liteVolatile[name] || liteSessionFunctions[name]
	}
	return false
}
