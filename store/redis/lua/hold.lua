-- hold marks each tag, and gives it a new token; after 'held' it returns, of each key behind
-- these, token and members, empty if it is missing. ARGV: [3] the hold, [4] its lease, [5...] a fresh token
-- for each tag that is marked

local id, expiry = ARGV[3], after(ARGV[4])

-- sweep takes marks away that have lapsed unseen, now and then. Their tags go with
-- them, which gives those new tokens.
local function sweep()
	local due = redis.call('HGET', register, 'sweep')
	if due and tonumber(due) > now() then
		return
	end
	local fields = redis.call('HKEYS', register)
	for _, field in ipairs(fields) do
		if string.sub(field, 1, 1) == 'm' then
			local key = string.sub(field, 2)
			local list, lapsed = marks(key)
			if lapsed and list == '' then
				redis.call('DEL', key)
				mark(key, '')
			end
		end
	end
	redis.call('HDEL', register, 'sweep')
	redis.call('HSET', register, 'sweep', after(60000))
end

local last = #ARGV - 3
for i = 2, last do
	local key = KEYS[i]
	local _, _, members = read(key)
	mark(key, without(marks(key), id) .. id .. ':' .. expiry .. ';')
	change(key, ARGV[i + 3], true, members or '')
end
if last > 1 then
	sweep()
end
local seen = { 'held' }
for i = last + 1, #KEYS do
	local token, _, members = read(KEYS[i])
	seen[#seen + 1] = token or ''
	seen[#seen + 1] = members or ''
end
return seen
