import { Counter, Histogram, Registry } from "prom-client";
import type { Denylist } from "../denylist/denylist";
import { REASONS } from "../denylist/entry";
import { CurfewError } from "../errors";

/** What others tell, for whoever scrapes. A count costs a look-up in a Map; sums are made when somebody asks. */
export type Meter = {
  /** The same check, with each of its verdicts counted. */
  countVerdicts<Of, Result extends object>(
    check: (of: Of) => Result | Promise<Result>,
  ): (of: Of) => Result | Promise<Result>;
  /** The same denylist, with the time taken that it needs for an answer. */
  timed(denylist: Denylist): Denylist;
  /** This process has revoked so much, and Redis has acknowledged it. */
  revoked: (reason: string, count: number) => void;
  answered(method: string, route: string, status: string): void;
  readonly registry: Registry;
};

/** Begin at 0, so that the first of each is seen as a rise. */
const VERDICTS = [
  ...["accepted", "token_missing", "token_invalid", "token_expired", "token_revoked"],
  ...["denylist_unavailable", "issuer_unavailable"],
];
const CHECK_SECONDS = [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];

export function createMeter(): Meter {
  const registry = new Registry();
  const checks = createCount(registry, {
    name: "curfew_checks_total",
    help: "Verdicts on tokens, of guards, /verify and introspection: accepted, or the code of the refusal",
    labelNames: ["result"],
    known: VERDICTS,
  });
  const revocations = createCount(registry, {
    name: "curfew_revocations_total",
    help: "Revocations that this instance wrote and Redis acknowledged, by reason",
    labelNames: ["reason"],
    known: REASONS,
  });
  const requests = createCount(registry, {
    name: "curfew_http_requests_total",
    help: "Requests, by method, route and status; aborted where the client was gone before its answer",
    labelNames: ["method", "route", "status"],
  });
  const durations = new Histogram({
    name: "curfew_check_duration_seconds",
    help: "How long the denylist took to answer a check",
    buckets: CHECK_SECONDS,
    registers: [registry],
  }).labels();

  return {
    countVerdicts(check) {
      function refused(error: unknown): never {
        checks(error instanceof CurfewError ? error.code : "internal");
        throw error;
      }
      function accepted<T>(result: T): T {
        checks("accepted");
        return result;
      }
      return (of) => {
        let result;
        try {
          result = check(of);
        } catch (error) {
          return refused(error);
        }
        return "then" in result ? result.then(accepted, refused) : accepted(result);
      };
    },

    timed: (denylist) => ({
      ...denylist,
      isKnownClean(token) {
        const startedAt = performance.now();
        const isClean = denylist.isKnownClean(token);
        if (isClean) durations.observe((performance.now() - startedAt) / 1000);
        return isClean;
      },
      async assertNotRevoked(token) {
        const startedAt = performance.now();
        let isAnswered = true;
        try {
          await denylist.assertNotRevoked(token);
        } catch (error) {
          // Without a connection it fails at once, which would look like a quick answer.
          isAnswered = error instanceof CurfewError && error.code === "token_revoked";
          throw error;
        } finally {
          if (isAnswered) durations.observe((performance.now() - startedAt) / 1000);
        }
      },
    }),

    revoked: revocations,

    answered(method, route, status) {
      requests(`${method} ${route} ${status}`);
    },

    registry,
  };
}

type Count = { name: string; help: string; labelNames: string[]; known?: readonly string[] };

/** Counts by key: a value for each label, with spaces between them. */
function createCount(registry: Registry, { name, help, labelNames, known = [] }: Count) {
  const sums = new Map(known.map((key) => [key, 0]));
  new Counter({
    ...{ name, help, labelNames, registers: [registry] },
    collect() {
      this.reset();
      for (const [key, sum] of sums) this.labels(...key.split(" ")).inc(sum);
    },
  });
  return (key: string, by = 1): void => {
    sums.set(key, (sums.get(key) ?? 0) + by);
  };
}
