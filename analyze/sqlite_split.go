package analyze

// liteSplit cuts tokens into statements at semicolons, which it drops, and
// leaves out empty statements. The body of a trigger stays whole.
func liteSplit(tokens []liteToken) [][]liteToken {
	var parts [][]liteToken
	start := 0
	cut := func(end int) {
		if end > start {
			parts = append(parts, tokens[start:end])
		}
		start = end + 1
	}
	for i := range tokens {
		if !tokens[i].isOp(";") {
			continue
		}
		if s := tokens[start:i]; !liteCreatesTrigger(s) || liteEndsTrigger(s) {
			cut(i)
		}
	}
	cut(len(tokens))
	return parts
}

// liteCreatesTrigger reports whether a statement begins as CREATE TRIGGER does.
func liteCreatesTrigger(tokens []liteToken) bool {
	p := liteParser{tokens: tokens}
	p.explain()
	if !p.accept("create") {
		return false
	}
	_ = p.accept("temp") || p.accept("temporary")
	return p.accept("trigger")
}

// liteEndsTrigger reports whether tokens end as the body of a trigger does. An
// END after anything but a semicolon belongs to a CASE.
func liteEndsTrigger(tokens []liteToken) bool {
	n := len(tokens)
	return n >= 2 && tokens[n-1].is("end") && tokens[n-2].isOp(";")
}
