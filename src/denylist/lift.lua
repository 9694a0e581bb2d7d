-- Lifts a revocation: deletes an entry, and what is known of its uses.
--
-- KEYS  1–2 as in entries.lua   3 the entry   4 the record of its uses
-- args  as in entries.lua, and: event; kind, sid and jti, for the event
-- Returns {'lifted', or 'missing' if there was no such entry; empty, because nothing was revoked; the last event's id, or empty}.
-- Atomic, so that of two that lift it only one is told that it did, and there is one event.

readEpoch()
if redis.call('DEL', KEYS[3]) == 0 then
  return { 'missing', '', lastEventId }
end
redis.call('DEL', KEYS[4])
tell(args.event, args.kind, args.sid, args.jti)
return { 'lifted', '', lastEventId }
