-- What stands before every script: its arguments by name, so that their order is nobody's business.
--
-- ARGV  name, value, name, value …

local args = {}
for at = 1, #ARGV, 2 do
  args[ARGV[at]] = ARGV[at + 1]
end
