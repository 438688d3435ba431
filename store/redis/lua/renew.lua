-- renew gives the marks of a hold a new lease, and returns 0 if one is gone.
-- ARGV: [3] the hold, [4] its lease, [5...] a fresh token for each tag

local id, expiry = ARGV[3], after(ARGV[4])
local all = 1
for i = 2, #KEYS do
	local key = KEYS[i]
	look(key, ARGV[i + 3])
	local list = marks(key)
	if string.find(list, id .. ':', 1, true) then
		mark(key, without(list, id) .. id .. ':' .. expiry .. ';')
	else
		all = 0
	end
end
return all
