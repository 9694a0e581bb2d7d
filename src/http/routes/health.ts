import { z } from "zod";
import type { Denylist } from "../../denylist/denylist";
import { CurfewError } from "../../errors";
import type { Warning } from "../../redis/info";
import { reasonOf } from "../../redis/reason";
import { endpoint } from "../router";

/** Doesn't ask Redis: otherwise an outage of Redis would have every instance restarted. */
export const healthz = endpoint({
  name: "isAlive",
  summary: "Alive: the process answers",
  answers: {
    200: { description: "Alive", schema: z.object({ status: z.literal("ok") }).meta({ id: "Alive" }) },
  },
  handle(_req, res) {
    res.json({ status: "ok" });
  },
});

const Ready = z
  .object({
    status: z.literal("ready"),
    warnings: z.array(z.object({ code: z.string(), message: z.string() })),
  })
  .meta({ id: "Ready" });

/** `knownWarnings` returns those that are known without asking anybody. */
export function createReadyz(denylist: Denylist, knownWarnings: () => Warning[], isStopping: () => boolean) {
  const writing = createWriteCheck(denylist);
  return endpoint({
    name: "isReady",
    summary: "Ready: this instance can tell who is logged out",
    answers: { 200: { description: "Ready; `warnings` says what is wrong nevertheless", schema: Ready } },
    errors: ["denylist_unavailable", "stopping"],
    async handle(_req, res) {
      if (isStopping()) throw new CurfewError("stopping");
      await denylist.assertAnswering().catch(throwWithDetails);
      const warnings = [...knownWarnings(), ...(await writing.warnings())];
      res.json({ status: "ready", warnings } satisfies z.infer<typeof Ready>);
    },
  });
}

function throwWithDetails(error: unknown): never {
  const { cause } = assertOutage(error);
  throw new CurfewError("denylist_unavailable", {
    cause,
    details: [{ path: "redis", message: reasonOf(cause) }],
  });
}

/**
 * Refused writes are only a warning: such an instance still knows who is logged out, and if it were taken out of
 * service it would refuse everybody. Anybody may call this, so concurrent requests share one answer.
 */
function createWriteCheck(denylist: Denylist) {
  let asking: Promise<Warning[]> | undefined;
  return {
    warnings: () =>
      (asking ??= writeWarnings(denylist).finally(() => {
        asking = undefined;
      })),
  };
}

async function writeWarnings(denylist: Denylist): Promise<Warning[]> {
  try {
    await denylist.assertWritable();
    return [];
  } catch (error) {
    const reason = reasonOf(assertOutage(error).cause);
    const message = `Redis refuses writes (${reason}): login, refresh and logout get a 503. Checks still work.`;
    return [{ code: "writes_refused", message }];
  }
}

function assertOutage(error: unknown): CurfewError {
  if (error instanceof CurfewError) return error;
  throw error;
}
