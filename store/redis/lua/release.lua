-- release gives each tag a new token, and takes the mark of a hold away. A tag
-- that is missing has no entry. ARGV: [3] the hold, [4...] a fresh token for each tag

for i = 2, #KEYS do
	local key = KEYS[i]
	local token, _, members = read(key)
	local list = without(marks(key), ARGV[3])
	if token then
		change(key, ARGV[i + 2], list ~= '', members)
	end
	mark(key, list)
end
return 1
