-- Comes before every script. It lets scripts read their arguments by name, so that the order doesn't matter.
--
-- ARGV  name, value, name, value …

local args = {}
for at = 1, #ARGV, 2 do
  args[ARGV[at]] = ARGV[at + 1]
end
