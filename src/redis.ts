import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { Redis as Client, type ChainableCommander, type RedisOptions } from "ioredis";
import MemoryClient from "ioredis-mock";
import type { Logger } from "pino";
import { CurfewError, loggable } from "./errors";
import { createSilenceWatch, neverSilent, type SilenceWatch } from "./silence";

/** A Lua script: nothing comes between what it checks and what it changes. */
export type Script = { readonly lua: string; readonly sha1: string };

/** Redis as the rest of the code sees it. Whatever goes wrong in it is one error: `denylist_unavailable`. */
export type Redis = {
  ask<T>(command: (client: Client) => Promise<T>): Promise<T>;
  /** Several commands in one round trip. */
  askAll(commands: (pipeline: ChainableCommander) => ChainableCommander): Promise<unknown[]>;
  run(script: Script, keys: string[], args: Record<string, string | number>): Promise<unknown>;
  /** True once Redis has answered for the first time; false if it takes longer. Never rejects. */
  untilReady(timeoutMs: number): Promise<boolean>;
  close(): void;
};

/** Reads a script from its file, or from several that are put one after the other. */
export function readScript(...files: string[]): Script {
  const lua = files.map((file) => readFileSync(file, "utf8")).join("\n");
  return { lua, sha1: createHash("sha1").update(lua).digest("hex") };
}

/** Where Redis listens: a `redis(s)://` URL, or the path of a Unix socket. */
export type Address = { url: string } | { path: string };

export function connectRedis(address: Address, timeoutMs: number, log: Logger): Redis {
  const options: RedisOptions = {
    ...FAIL_CLOSED,
    commandTimeout: timeoutMs,
    connectTimeout: Math.max(timeoutMs, 1000),
    retryStrategy: (attempt) => Math.min(attempt * 50, 1000),
  };
  const client = "url" in address ? new Client(address.url, options) : new Client({ ...options, ...address });
  watch(client, log);
  return createRedis(
    client,
    createSilenceWatch(4 * timeoutMs, () => client.stream.destroy()),
  );
}

/** For a try-out: everything is lost when the process ends. */
export const connectMemory = (): Redis => createRedis(new MemoryClient(), neverSilent);

/**
 * ioredis's defaults would queue commands while Redis is away and send them again after a reconnect: a
 * logout would be answered late or never, and its entry written with a lifetime that was right long ago.
 */
const FAIL_CLOSED = {
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
} satisfies RedisOptions;

/** Wraps a connected ioredis client. */
function createRedis(client: Client, silence: SilenceWatch): Redis {
  async function ask<T>(command: (client: Client) => Promise<T>): Promise<T> {
    const askedAt = Date.now();
    try {
      const reply = await command(client);
      silence.heard();
      return reply;
    } catch (cause) {
      const hasTimedOut = cause instanceof Error && cause.message === "Command timed out";
      if (hasTimedOut) silence.timedOut(askedAt);
      else silence.heard();
      throw new CurfewError("denylist_unavailable", { cause });
    }
  }

  const askAll: Redis["askAll"] = (commands) =>
    ask(async (client) => {
      const replies = (await commands(client.pipeline()).exec()) ?? [];
      return replies.map(([error, reply]) => {
        if (error) throw error;
        return reply;
      });
    });

  const run: Redis["run"] = (script, keys, args) =>
    ask(async (client) => {
      const rest = [keys.length, ...keys, ...Object.entries(args).flat()] as const;
      try {
        return await client.evalsha(script.sha1, ...rest);
      } catch (error) {
        if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error;
        return await client.eval(script.lua, ...rest);
      }
    });

  const untilReady: Redis["untilReady"] = async (timeoutMs) => {
    if (await client.ping().catch(() => false)) return true;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs, false);
      client.once("ready", () => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  };

  const close = () => {
    client.disconnect();
  };

  return { ask, askAll, run, untilReady, close };
}

/**
 * One line for each reason why Redis is away and one when it is back, not one for each attempt to connect; and of an
 * error its message only, because ioredis puts the arguments of the command, a password perhaps, beside it.
 */
function watch(client: Client, log: Logger): void {
  const said = new Set<string>();
  client.on("ready", () => {
    said.clear();
    log.info("redis is ready");
  });
  client.on("error", (error: Error & { command?: { name: string } }) => {
    // ioredis would go on in database 0, which is not the one that was asked for.
    if (error.command?.name === "select") client.disconnect(true);
    const cause = loggable(error);
    if (said.has(cause)) return;
    said.add(cause);
    log.error({ cause }, "redis can't be reached");
  });
}
