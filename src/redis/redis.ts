import type { ChainableCommander } from "ioredis";
import type { Logger } from "pino";
import { CurfewError } from "../errors";
import type { Address } from "./address";
import type { AppRedis } from "./app-client";
import { inTime, leftMs } from "./budget";
import type { DatedLead } from "./clock";
import { inOneWrite, pipeline, toArguments, withScript, type Args, type Client } from "./commands";
import { skewWarning, warningsOf, type Info, type Warning } from "./info";
import { linkCluster } from "./links/cluster-link";
import type { Link } from "./links/link";
import { linkNode } from "./links/node-link";
import { trackKeys, type Tracking, type TrackingListener } from "./links/tracking";
import { createWarningLog } from "./reports";
import type { Script } from "./script";

/**
 * WAIT delays every command behind it and confirms only its own connection's writes, so checks use another connection.
 */
export type Way = "checking" | "confirming";

/** Redis as the rest of the code sees it. Every failure is one error: `denylist_unavailable`. */
export type Redis = {
  /** How long it may take to answer a request, in all. */
  readonly timeoutMs: number;
  /**
   * Send several commands at once, which is one round trip too. A pipeline follows redirects for all of them or for
   * none.
   */
  ask<T>(command: (client: Client) => Promise<T>): Promise<T>;
  run(script: Script, keys: string[], args: Args): Promise<unknown>;
  /**
   * Runs a script that opens, carries on or ends something. Resolves only when the required number of replicas have its
   * writes and all earlier ones: a session that a failover loses couldn't be ended. `touch` is a key in the same slot.
   */
  runConfirmed(script: Script, keys: string[], args: Args, touch: string): Promise<unknown>;
  /** Writes a dummy key, to see whether Redis would accept, and replicas would confirm, a revocation in its slot. */
  probe(key: string): Promise<void>;
  /** The connections. Confirmed writes use the last, checks the first, which may be the same one. */
  readonly ways: readonly Way[];
  /**
   * Changes whenever another Redis than before, or one with a different past, may answer for a prefix's keys. Undefined
   * while that isn't known, or while the connections lead to different nodes.
   */
  generation: (way: Way, prefix: string) => string | undefined;
  /** Makes sure that the generation is known, then asks; throws if it can't be known. */
  askBy<T>(way: Way, prefix: string, command: (client: Client) => Promise<T>): Promise<T>;
  /** Whether another Redis, or an earlier state of this one, may ever answer in its place. */
  readonly mayForget: boolean;
  /** How far the answering Redis's clock is ahead of our steady one; undefined before Redis 7. */
  steadyLead: (way: Way, prefix: string) => DatedLead | undefined;
  /** When the current request gives up, by Redis's clock; undefined if that clock isn't known. */
  deadlineMs(): number | undefined;
  /** Has Redis tell which keys change, by what they begin with. Undefined where it can't: in a cluster, and in memory. */
  readonly track?: (prefixes: readonly string[], listener: TrackingListener) => Tracking;
  warnings(): Warning[];
  /** What the primaries last said about themselves. */
  infos(): Info[];
  /** What Redis said about itself at first contact. Rejects if Redis refuses the user or password. */
  readonly firstContact: Promise<Info[]>;
  close(): void;
};

export type RedisOptions = { timeoutMs: number; minReplicas: number };

export function connectRedis(address: Address | AppRedis, options: RedisOptions, log: Logger): Redis {
  const { timeoutMs, minReplicas } = options;
  const connect = (to: Logger, onInfo: () => void) =>
    address.mode === "cluster" || address.mode === "app-cluster"
      ? linkCluster(address, { timeoutMs, onInfo }, to)
      : linkNode(address, { timeoutMs, onInfo }, to);

  const warn = createWarningLog(log);
  const checking = connect(log, () => {
    warn(redis.warnings());
  });
  const confirming =
    minReplicas > 0 ? connect(log.child({ connection: "confirming" }), () => undefined) : undefined;
  const redis = createRedis(checking, confirming, options);
  if (address.mode === "cluster" || address.mode === "app-cluster") return redis;
  return {
    ...redis,
    track: (prefixes, listener) => trackKeys(address, timeoutMs, prefixes, listener),
  };
}

const TOUCHED_FOR_MS = 60_000;

export function createRedis(link: Link, confirming: Link | undefined, options: RedisOptions): Redis {
  const { timeoutMs, minReplicas } = options;

  async function askOn<T>(on: Link, command: (client: Client) => Promise<T>): Promise<T> {
    try {
      const failure = on.failure();
      if (failure) throw failure;
      return await inTime(timeoutMs, () => inOneWrite(on.client, () => command(on.client)));
    } catch (cause) {
      on.learnFrom(cause);
      throw new CurfewError("denylist_unavailable", { cause });
    }
  }

  const runConfirmedOn = (on: Link, script: Script, keys: string[], args: Args, touch: string) =>
    askOn(on, async (client) => {
      const rest = toArguments(keys, args);
      const confirm = (commands: ChainableCommander) => touchAndWait(commands, touch);
      const [reply, , replicas] = await withScript(
        () => pipeline(client, (commands) => confirm(commands.evalsha(script.sha1, ...rest))),
        () => pipeline(client, (commands) => confirm(commands.eval(script.lua, ...rest))),
      );
      assertConfirmed(replicas);
      return reply;
    });

  /**
   * A script that changes nothing isn't replicated, and WAIT would confirm an earlier write. So a key is always
   * written.
   */
  const touchAndWait = (commands: ChainableCommander, touch: string) =>
    commands.set(touch, "", "PX", TOUCHED_FOR_MS).wait(minReplicas, waitMs(timeoutMs));

  function assertConfirmed(replicas: unknown): void {
    if (Number(replicas) >= minReplicas) return;
    const message = `only ${String(replicas)} of ${minReplicas} replicas confirmed it in time`;
    throw Object.assign(new Error(message), { code: "TOO_FEW_REPLICAS" });
  }

  const firstContact = Promise.all([link.firstContact, confirming?.firstContact]).then(([infos]) => infos);
  // Without this, a rejection that nobody waits for would end the process.
  firstContact.catch(() => undefined);

  const links = { checking: link, ...(confirming && { confirming }) };
  const linkOf = (way: Way) => links[way] ?? link;

  /** Two connections, made at different times, may lead to an old primary and to the new one. */
  function isOne(prefix: string): boolean {
    if (!confirming) return true;
    const runIds = Object.values(links).flatMap(({ answerer }) => answerer(prefix)?.runId ?? []);
    return new Set(runIds).size <= 1;
  }

  const redis: Redis = {
    timeoutMs,

    ask: (command) => askOn(link, command),

    ways: confirming ? ["checking", "confirming"] : ["checking"],

    generation: (way, prefix) => (isOne(prefix) ? linkOf(way).answerer(prefix)?.generation : undefined),

    async askBy(way, prefix, command) {
      const on = linkOf(way);
      return askOn(on, async (client) => {
        await on.meet(prefix);
        if (!isOne(prefix)) throw new Error("our connections lead to different nodes");
        return command(client);
      });
    },

    mayForget: link.mayForget,

    steadyLead: (way, prefix) => linkOf(way).answerer(prefix)?.steadyLead,

    run: (script, keys, args) =>
      askOn(link, (client) => {
        const rest = toArguments(keys, args);
        return withScript(
          () => client.evalsha(script.sha1, ...rest),
          () => client.eval(script.lua, ...rest),
        );
      }),

    runConfirmed: (script, keys, args, touch) =>
      confirming ? runConfirmedOn(confirming, script, keys, args, touch) : redis.run(script, keys, args),

    async probe(key) {
      if (!confirming) {
        await redis.ask((client) => client.set(key, "", "PX", TOUCHED_FOR_MS));
        return;
      }
      await askOn(confirming, async (client) => {
        const [, replicas] = await pipeline(client, (commands) => touchAndWait(commands, key));
        assertConfirmed(replicas);
      });
    },

    deadlineMs() {
      const leads = link.wallLeads().map(({ leastMs }) => leastMs);
      // Both clocks are read in whole milliseconds, so one is taken off to be safe.
      return leads.length === 0
        ? undefined
        : Math.floor(Date.now() + Math.max(...leads) + leftMs(timeoutMs)) - 1;
    },

    warnings: () =>
      dedupe([
        ...link.infos().flatMap((info) => warningsOf(info, minReplicas)),
        ...link.wallLeads().flatMap(skewWarning),
      ]),

    infos: () => link.infos(),

    firstContact,

    close() {
      link.close();
      confirming?.close();
    },
  };
  return redis;
}

/** A little less than the time left, so that WAIT's answer arrives in time. Zero would mean for ever. */
const waitMs = (timeoutMs: number) => Math.max(1, Math.floor(leftMs(timeoutMs) * 0.9));

const dedupe = (warnings: Warning[]) => [...new Map(warnings.map((each) => [each.code, each])).values()];
