import type { Logger } from "pino";
import { CurfewError } from "../errors";
import { fetchText, reasonOf } from "./fetch-text";
import type { IssuerAlgorithm, IssuerKey } from "./issuer-keys";
import { createJwksLog } from "./jwks-log";
import { readKeySet, type KeySet } from "./key-set";

/** Where to find the key that a token names. */
export type IssuerKeys = {
  /** Undefined if the issuer has no such key. Throws `denylist_unavailable` while that can't be known. */
  find(kid: string | undefined): Promise<IssuerKey | undefined>;
  close(): void;
};

export type JwksSource = { name: string; uri: string; algorithms: readonly IssuerAlgorithm[] };

export type JwksLimits = {
  timeoutMs: number;
  maxBytes: number;
  /** How long after a fetch an unknown kid, or a failure, makes another one. */
  cooldownMs: number;
  /** How often the keys are fetched anyway, so that what the issuer removed is soon gone. */
  refreshMs: number;
  /** How long keys are used while the issuer can't be asked. */
  maxAgeMs: number;
};

/**
 * A day without the issuer is put up with: as long as a token may live by default, so that none that was signed while we
 * could still ask is refused for an outage. For ever would keep a stolen key alive for whoever can keep us from asking.
 */
const LIMITS: JwksLimits = {
  timeoutMs: 3000,
  maxBytes: 65_536,
  cooldownMs: 10_000,
  refreshMs: 600_000,
  maxAgeMs: 86_400_000,
};

export type JwksOptions = { log: Logger; fetch?: typeof fetch; limits?: JwksLimits };

/** The keys that an issuer publishes. Fetched at once and again and again, one fetch at a time, and never by what a token says. */
export function createJwks(source: JwksSource, options: JwksOptions): IssuerKeys {
  const { log, fetch = globalThis.fetch, limits = LIMITS } = options;
  const jwksLog = createJwksLog(source.name, log);
  let current: { keys: KeySet; fetchedAt: number } | undefined;
  let failure: Error | undefined;
  let startedAt = -Infinity;
  let fetching: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  const closing = new AbortController();

  async function fetchKeys(): Promise<void> {
    startedAt = performance.now();
    try {
      const text = await fetchText(source.uri, { ...limits, fetch, closing: closing.signal });
      const { keys, skipped } = readKeySet(text, source.algorithms);
      current = { keys, fetchedAt: startedAt };
      failure = undefined;
      jwksLog.fetched(skipped);
    } catch (error) {
      const reason = reasonOf(error);
      failure = new Error(`the keys of ${source.name} can't be had: ${reason}`, { cause: error });
      if (!closing.signal.aborted) jwksLog.failed(reason);
    }
  }

  function refresh(): Promise<void> {
    clearTimeout(timer);
    fetching ??= fetchKeys().finally(() => {
      fetching = undefined;
      if (closing.signal.aborted) return;
      timer = setTimeout(() => void refresh(), failure ? limits.cooldownMs : limits.refreshMs).unref();
    });
    return fetching;
  }

  const keys = () =>
    current && performance.now() - current.fetchedAt < limits.maxAgeMs ? current.keys : undefined;

  /** Without a kid a fetch is no use, unless there are no keys at all. */
  const isWorthFetching = (kid: string | undefined) =>
    (kid !== undefined || !keys()) && performance.now() - startedAt >= limits.cooldownMs;

  void refresh();

  return {
    async find(kid) {
      const known = keys()?.find(kid);
      if (known) return known;
      if (fetching !== undefined || isWorthFetching(kid)) await refresh();
      const key = keys()?.find(kid);
      // Without an answer, a key that we don't know may be the issuer's newest: the token is neither good nor bad.
      if (!key && failure) {
        throw new CurfewError("denylist_unavailable", { cause: failure, about: { issuer: source.name } });
      }
      return key;
    },

    close() {
      clearTimeout(timer);
      closing.abort(new Error("closed"));
    },
  };
}
