-- Counts a hit in a window that begins with the first hit.
--
-- KEYS  1 the counter
-- args  window_ms, how long the window is
-- Returns {hits, milliseconds left}.
-- Atomic, so that instances that count at the same time miss no hit, and no counter is left without a TTL.

local hits = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  left = tonumber(args.window_ms)
  redis.call('PEXPIRE', KEYS[1], args.window_ms)
end
return { hits, left }
