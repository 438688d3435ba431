-- What every step begins with.
--
-- KEYS[1] is the register of the tags that follow it, a hash: the era that it is
-- of, until when that settles, and of each tag that is held the marks. It has no
-- expiry. A tag's key is a string: the era (16 bytes), the token (8), 'h' if it
-- is held or '-', and the members.
--
-- An era is a server's time as a master: the id of its replication history, which
-- a server takes anew when it starts and when it is promoted. A tag of another
-- era is as good as missing, and a register of another era is lost. Of a tag that
-- is missing the register knows whether it is held; when the register is lost,
-- nobody does. So while a new era settles no tag is made, and all are held.
--
-- A step runs whole: what it does to several keys nobody sees in part.

local register, settle, keep = KEYS[1], tonumber(ARGV[1]), ARGV[2]

local info = redis.call('INFO', 'replication')
local history = string.match(info, 'master_replid:(%x+)')
if not history or not string.find(info, 'role:master', 1, true) then
	return redis.error_reply('READONLY this server is no master')
end
local era = string.sub(history, 1, 16)

local clock
local function now()
	if not clock then
		local t = redis.call('TIME')
		clock = t[1] * 1000 + math.floor(t[2] / 1000)
	end
	return clock
end

local function after(ms)
	return string.format('%.0f', now() + ms)
end

local settling = false
local registered = redis.call('HMGET', register, 'era', 'until')
if registered[1] ~= era then
	registered[2] = settle > 0 and after(settle) or '0'
	redis.call('DEL', register)
	redis.call('HSET', register, 'era', era, 'until', registered[2])
end
if registered[2] ~= '0' then
	settling = now() < tonumber(registered[2])
	if not settling then
		redis.pcall('HSET', register, 'until', '0')
	end
end

-- read returns a tag's token, whether it is held, and its members; nil if it is missing.
local function read(key)
	local v = redis.call('GET', key)
	if v and #v >= 25 and string.sub(v, 1, 16) == era then
		return string.sub(v, 17, 24), string.sub(v, 25, 25) == 'h', string.sub(v, 26)
	end
end

-- put writes a tag, and reports whether the server had room for it.
local function put(key, token, held, members)
	local v = era .. token .. (held and 'h' or '-') .. members
	local done = redis.pcall('SET', key, v, 'PX', keep)
	return not done.err
end

-- change is put for steps that must not fail for want of memory: a server that is
-- full lets a step go on that has begun with something that needs none. While the
-- era settles only a tag that is known to be held is written.
local function change(key, token, held, members)
	redis.call('DEL', key)
	if held or not settling then
		put(key, token, held, members)
	end
end

-- marks returns the marks of a tag that have not lapsed, as one string, and whether others have.
local function marks(key)
	local all = redis.call('HGET', register, 'm' .. key)
	if not all then
		return '', false
	end
	local live, lapsed = {}, false
	for id, expiry in string.gmatch(all, '(%x+):(%d+);') do
		if tonumber(expiry) > now() then
			live[#live + 1] = id .. ':' .. expiry .. ';'
		else
			lapsed = true
		end
	end
	return table.concat(live), lapsed
end

local function without(list, id)
	return (string.gsub(list, id .. ':%d+;', ''))
end

local function mark(key, list)
	redis.call('HDEL', register, 'm' .. key)
	if list ~= '' then
		redis.call('HSET', register, 'm' .. key, list)
	end
end

-- look returns a tag's token, whether it is held, and its members. If the tag is
-- missing it is made, with the token fresh; if a mark has lapsed it gets that too.
-- A tag that says it is held, without a mark, has lost that with the register.
local function look(key, fresh)
	local token, held, members = read(key)
	if token and not held then
		return token, false, members
	end
	local list, lapsed = marks(key)
	if token and list ~= '' and not lapsed then
		return token, true, members
	end
	if not token or not lapsed then
		members = ''
	end
	if list == '' and settling then
		redis.call('DEL', key)
	elseif not put(key, fresh, list ~= '', members) then
		return fresh, true, ''
	end
	if lapsed then
		mark(key, list)
	end
	return fresh, settling or list ~= '', members
end

