-- Tells whether a refresh token would be accepted now. Changes nothing.
--
-- KEYS  1–2 as in entries.lua   3 as in session.lua
-- args  as in both, and: sid, generation
-- Returns 1 or 0.
-- Atomic, so that a refresh in between can't make its old or its new token look dead.

local session = readSession(args.sid)
if not isLive(session, readEpoch()) then
  return 0
end
local presented, current = tonumber(args.generation), tonumber(session.generation)
local isRetry = presented == current - 1 and isYoung(session, redisNowMs())
return (presented >= current or isRetry) and 1 or 0
