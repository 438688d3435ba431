-- plain does one operation on one plain value. It knows no register, and doesn't begin with common.lua.
--
-- KEYS[1] is the value: the era that it is of (16 bytes; see common.lua), then its bytes. One of another era is
-- missing. KEYS[2] is where a number is counted, since Lua's own have 53 bits; nobody sees it.
-- ARGV: [1] the verb, [2] milliseconds to live, '' for no expiry, [3] the value, or what is added, [4] of swap: what must be there.
-- The answer is what became of it, and of get and count the value.

local info = redis.call('INFO', 'replication')
local history = string.match(info, 'master_replid:(%x+)')
if not history or not string.find(info, 'role:master', 1, true) then
	return redis.error_reply('READONLY this server is no master')
end
local era = string.sub(history, 1, 16)

local key, scratch = KEYS[1], KEYS[2]
local verb, life, value = ARGV[1], ARGV[2], ARGV[3]

local stored = redis.call('GET', key)
local there
if stored and string.sub(stored, 1, 16) == era then
	there = string.sub(stored, 17)
end

-- put keeps the value. What has no room isn't there afterwards.
local function put()
	local done
	if life == '' then
		done = redis.pcall('SET', key, era .. value)
	else
		done = redis.pcall('SET', key, era .. value, 'PX', life)
	end
	if not done.err then
		return { 'done' }
	elseif not string.find(done.err, 'OOM', 1, true) then
		return done
	end
	redis.call('DEL', key)
	return { 'full' }
end

-- replace keeps a value for as long as the one before had to live, be the server full or not: it lets a
-- script go on that has begun with something that needs no room.
local function replace(new)
	redis.call('DEL', scratch)
	redis.call('SET', key, era .. new, 'KEEPTTL')
end

local function count()
	redis.call('DEL', scratch)
	redis.call('SET', scratch, there)
	local done = redis.pcall('INCRBY', scratch, value)
	local sum = redis.call('GET', scratch)
	redis.call('DEL', scratch)
	if type(done) ~= 'table' then
		replace(sum)
		return { 'done', sum }
	elseif string.find(done.err, 'overflow', 1, true) then
		return { 'overflow' }
	elseif string.find(done.err, 'not an integer', 1, true) then
		return { 'word' }
	end
	return done
end

if verb == 'set' then
	return put()
elseif verb == 'add' then
	return there and { 'none' } or put()
elseif not there then
	return { 'none' }
elseif verb == 'get' then
	return { 'done', there }
elseif verb == 'swap' then
	if there ~= ARGV[4] then
		return { 'none' }
	end
	replace(value)
elseif verb == 'count' then
	return count()
elseif verb == 'delete' then
	redis.call('DEL', key)
elseif life == '' then
	redis.call('PERSIST', key)
else
	redis.call('PEXPIRE', key, life)
end
return { 'done' }
