package analyze

import "strings"

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
