-- members returns the token of a tag and its members. ARGV: [3] a fresh token
local token, _, members = look(KEYS[2], ARGV[3])
return { token, members }
