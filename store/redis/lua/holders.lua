-- holders returns the holds whose marks are on a tag, and that of nobody while it isn't known
-- who holds

local ids = {}
for id in string.gmatch(marks(KEYS[2]), '(%x+):') do
	ids[#ids + 1] = id
end
if settling then
	ids[#ids + 1] = '0'
end
return ids
