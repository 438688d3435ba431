-- join adds a member to a tag that has a token still, and returns whether it is
-- one. ARGV: [3] a fresh token, [4] the token, [5] the member with its length

local token, held, members = look(KEYS[2], ARGV[3])
if token ~= ARGV[4] then
	return 0
end
local at = 1
while at <= #members do
	local n = struct.unpack('>I4', members, at)
	if string.sub(members, at, at + 3 + n) == ARGV[5] then
		return 1
	end
	at = at + 4 + n
end
if not put(KEYS[2], token, held, members .. ARGV[5]) then
	return 0
end
return 1
