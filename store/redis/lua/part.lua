-- part takes a member out of a tag, and gives that a new token. A tag that is
-- missing has neither. ARGV: [3] a fresh token, [4] the member with its length

local token, held, members = read(KEYS[2])
if not token then
	return 1
end
local left, at = {}, 1
while at <= #members do
	local n = struct.unpack('>I4', members, at)
	local member = string.sub(members, at, at + 3 + n)
	if member ~= ARGV[4] then
		left[#left + 1] = member
	end
	at = at + 4 + n
end
change(KEYS[2], ARGV[3], held, table.concat(left))
return 1
