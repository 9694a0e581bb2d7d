-- Deletes an account, and writes the event that says so.
--
-- KEYS  1–2 as in entries.lua   3 the account
-- args  as in entries.lua, and: event
-- Returns {'done', or 'missing' if there is no such account; the last event's id, or empty}.
-- Atomic, so that of two that delete it only one is told that it did, and there is one event.

if redis.call('DEL', KEYS[3]) == 0 then
  return { 'missing', lastEventId }
end
tell(args.event, '', '', '')
return { 'done', lastEventId }
