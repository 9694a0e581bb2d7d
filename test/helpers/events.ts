import type { TestRedis } from "./redis";

export type Event = Record<string, string>;

/** The audit trail, oldest first. */
export async function readEvents({ admin }: TestRedis): Promise<Event[]> {
  const all = await admin.xrange("curfew:events", "-", "+");
  return all.map(([, flat]) =>
    Object.fromEntries(flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1] ?? ""]] : []))),
  );
}

export const isAlarm = ({ event }: Event) => event === "revoked_token_used";

/** What was done, without the alarms, which come in a time of their own. */
export const readDeeds = async (redis: TestRedis) =>
  (await readEvents(redis)).filter((event) => !isAlarm(event));
