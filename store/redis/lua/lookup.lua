-- lookup returns the entry whose key is the last one, if it is valid; otherwise of
-- each tag whether it is held, and its token.
-- ARGV: [3] what the keys of tags begin with, or '' if no entry is asked for,
-- [4...] a fresh token for each tag

local prefix = ARGV[3]

-- valid reads the tags of an entry as package wire writes them.
local function valid(v)
	if string.sub(v, 1, 4) ~= 'LE\1\0' then
		return false
	end
	local n, at = struct.unpack('>I4', v, 5)
	for _ = 1, n do
		local tag, token
		tag, at = struct.unpack('>I4c0', v, at)
		token, at = struct.unpack('c8', v, at)
		local current, held = read(prefix .. tag)
		if current ~= token or held then
			return false
		end
	end
	return true
end

local last = #KEYS
if prefix ~= '' then
	local v = redis.call('GET', KEYS[last])
	if v then
		local whole, is = pcall(valid, v)
		if whole and is then
			return v
		end
	end
	last = last - 1
end

local answer = { '' }
for i = 2, last do
	local token, held = look(KEYS[i], ARGV[i + 2])
	answer[1] = answer[1] .. (held and 'h' or '-')
	answer[i] = token
end
return answer
