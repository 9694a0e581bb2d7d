import { collectDefaultMetrics, Counter, Gauge } from "prom-client";
import type { Passwords } from "../accounts/passwords";
import type { Alarms } from "../denylist/alarms";
import type { Mirror } from "../denylist/mirror/mirror";
import { beganAt, type Epochs } from "../denylist/past/epochs";
import type { Redis } from "../redis/redis";
import type { Shards } from "../redis/shards";
import { createEntryCount } from "./entry-count";
import type { Meter } from "./meter";

/** What Prometheus reads. */
export type Metrics = {
  readonly contentType: string;
  /** Never waits for Redis. */
  read: () => Promise<string>;
};

export type MetricsParts = {
  meter: Meter;
  redis: Redis;
  shards: Shards;
  alarms: Pick<Alarms, "total">;
  epochs: Pick<Epochs, "known">;
  passwords: Pick<Passwords, "queue">;
  mirror: Pick<Mirror, "status"> | undefined;
};

/** The meter's counts, what is true at the moment when somebody asks, and how Node does. */
export function createMetrics(parts: MetricsParts): Metrics {
  const { registry } = parts.meter;
  collectDefaultMetrics({ register: registry });
  addRedis(parts);
  addDenylist(parts);
  addMirror(parts);
  addPasswords(parts);
  return { contentType: registry.contentType, read: () => registry.metrics() };
}

function addRedis({ meter: { registry }, redis, shards }: MetricsParts): void {
  const isUp = () =>
    redis.ways.every((way) => shards.prefixes.every((prefix) => redis.generation(way, prefix) !== undefined));
  new Gauge({
    name: "curfew_redis_up",
    help: "Whether Redis can be asked: 1, or 0 while every check is refused",
    registers: [registry],
    collect() {
      this.set(Number(isUp()));
    },
  });
  new Gauge({
    name: "curfew_redis_warning",
    help: "1 for each thing that is wrong with Redis although it answers",
    labelNames: ["code"],
    registers: [registry],
    collect() {
      this.reset();
      for (const { code } of redis.warnings()) this.set({ code }, 1);
    },
  });
}

function addDenylist({ meter: { registry }, redis, shards, alarms, epochs }: MetricsParts): void {
  const entries = createEntryCount(redis, shards);
  new Gauge({
    name: "curfew_denylist_entries",
    help: "Entries alive in Redis, by kind: about as many, counted once a minute at most",
    labelNames: ["kind"],
    registers: [registry],
    collect() {
      for (const [kind, count] of Object.entries(entries.read() ?? {})) this.set({ kind }, count);
    },
  });
  new Gauge({
    name: "curfew_denylist_epoch_started_timestamp_seconds",
    help: "Since when the denylist remembers; in a cluster, the shard that began last",
    registers: [registry],
    collect() {
      const known = shards.prefixes.flatMap((prefix) => epochs.known(prefix) ?? []);
      if (known.length === 0) this.remove();
      else this.set(Math.max(...known.map(beganAt)));
    },
  });
  new Counter({
    name: "curfew_revoked_token_uses_total",
    help: "Uses of revoked tokens that this instance refused",
    registers: [registry],
    collect() {
      this.reset();
      this.inc(alarms.total());
    },
  });
}

/** Nothing in direct mode. */
function addMirror({ meter: { registry }, mirror }: MetricsParts): void {
  if (!mirror) return;
  new Gauge({
    name: "curfew_mirror_entries",
    help: "Entries in this instance's copy of the denylist",
    registers: [registry],
    collect() {
      this.set(mirror.status().entries);
    },
  });
  new Gauge({
    name: "curfew_mirror_staleness_seconds",
    help: "How old what the copy knows can be; left out while it knows nothing",
    registers: [registry],
    collect() {
      const { stalenessMs } = mirror.status();
      if (stalenessMs === undefined) this.remove();
      else this.set(stalenessMs / 1000);
    },
  });
}

function addPasswords({ meter: { registry }, passwords }: MetricsParts): void {
  new Gauge({
    name: "curfew_password_queue",
    help: "Passwords being hashed, and waiting for it; 100 may wait, further ones are refused",
    labelNames: ["state"],
    registers: [registry],
    collect() {
      for (const [state, count] of Object.entries(passwords.queue())) this.set({ state }, count);
    },
  });
}
