package catalog

import (
	"database/sql/driver"
	"slices"
	"strings"
)

// A grant says whether a user or role may see the triggers of the schemas that match a
// pattern.
type grant struct {
	grantee, pattern string
	triggers         bool
}

// widenHidden widens the writes of tables whose triggers, and foreign keys from
// elsewhere, the user isn't sure to see: those of schemas without the TRIGGER
// privilege. A hidden trigger is not taken to make temporary tables.
func (s *Snapshot) widenHidden(rows [][]driver.Value) {
	var grants []grant
	for _, row := range rows {
		g, ok := parseGrant(text(row[0]))
		if !ok {
			grants = nil // some privileges are revoked again
			break
		}
		grants = append(grants, g)
	}
	for schema, relations := range s.schemas {
		if s.seesTriggers(grants, schema) {
			continue
		}
		for _, r := range relations {
			if r.kind == table {
				r.widen(everyOp)
			}
		}
	}
}

// parseGrant reads a line of SHOW GRANTS. It reports false if the line takes something
// away.
func parseGrant(line string) (grant, bool) {
	granted, ok := strings.CutPrefix(line, "GRANT ")
	privileges, rest, on := strings.Cut(granted, " ON ")
	if !ok || !on {
		return grant{}, ok
	}
	target, grantee, _ := strings.Cut(rest, " TO ")
	schema, all := strings.CutSuffix(target, ".*")
	if !all {
		return grant{}, true
	}
	grantee, _, _ = strings.Cut(grantee, " ")
	names := strings.Split(strings.ToUpper(privileges), ", ")
	return grant{
		grantee:  grantee,
		pattern:  strings.Trim(schema, "`\""),
		triggers: slices.Contains(names, "TRIGGER") || slices.Contains(names, "ALL PRIVILEGES"),
	}, true
}

// seesTriggers reports whether the grants of some grantee show the triggers of schema.
// Of several patterns that match, the server takes one, so all must.
func (s *Snapshot) seesTriggers(grants []grant, schema string) bool {
	judged := map[string]bool{}
	for _, g := range grants {
		switch {
		case g.pattern == "*":
			if g.triggers {
				return true
			}
		case g.pattern != "" && likeMatch(s.foldName(g.pattern), schema):
			before, ok := judged[g.grantee]
			judged[g.grantee] = g.triggers && (before || !ok)
		}
	}
	for _, sees := range judged {
		if sees {
			return true
		}
	}
	return false
}

// likeMatch reports whether name is LIKE pattern.
func likeMatch(pattern, name string) bool {
	if pattern == "" {
		return name == ""
	}
	switch c := pattern[0]; {
	case c == '%':
		for i := 0; i <= len(name); i++ {
			if likeMatch(pattern[1:], name[i:]) {
				return true
			}
		}
		return false
	case name == "":
		return false
	case c == '_':
		return likeMatch(pattern[1:], name[1:])
	case c == '\\' && len(pattern) > 1:
		return pattern[1] == name[0] && likeMatch(pattern[2:], name[1:])
	default:
		return c == name[0] && likeMatch(pattern[1:], name[1:])
	}
}
