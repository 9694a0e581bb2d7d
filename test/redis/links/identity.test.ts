import type { Moment } from "../../../src/redis/clock";
import { createIdentity } from "../../../src/redis/links/identity";
import { readInfo } from "../../../src/redis/info";

const at = (ms: number): Moment => ({ wallMs: 1_700_000_000_000 + ms, steadyMs: 3_600_000 + ms });

const SAID = { run_id: "a", master_replid: "b", role: "master", server_time_usec: 1.7e15 };

/** What INFO says, in a moment of ours. */
function tell(identity: ReturnType<typeof createIdentity>, said: Partial<typeof SAID> = {}, ms = 0): void {
  const time = { server_time_usec: SAID.server_time_usec + ms * 1000 };
  const lines = Object.entries({ ...SAID, ...time, ...said }).map(([name, value]) => `${name}:${value}\r\n`);
  identity.told(readInfo(lines.join("")), at(ms), at(ms));
}

const generationOf = (identity: ReturnType<typeof createIdentity>) => identity.answerer()?.generation;

function known() {
  const identity = createIdentity();
  tell(identity);
  return { identity, first: generationOf(identity) };
}

it("isn't known before it was told", () => {
  expect(createIdentity().answerer()).toBeUndefined();
});

it("stays the same as long as the same is told", () => {
  const { identity, first } = known();
  tell(identity, {}, 1000);
  expect(identity.answerer()).toMatchObject({ generation: first, runId: "a" });
});

it("is told with how far its clock is ahead of the one of ours that nobody sets", () => {
  const leadMs = at(0).wallMs - at(0).steadyMs;
  const steadyLead = { leastMs: leadMs - 10, mostMs: leadMs };
  expect(known().identity.answerer()).toMatchObject({ steadyLead });
});

it.each([
  ["the run id: another process answers", { run_id: "c" }],
  ["the replication id: its past is another's from here on", { master_replid: "c" }],
  ["the role: it was demoted, or promoted", { role: "slave" }],
  ["the clock, by 2.1 seconds ahead", { server_time_usec: SAID.server_time_usec + 3_100_000 }],
])("changes with %s", (_title, said) => {
  const { identity, first } = known();
  tell(identity, said, 1000);
  expect(generationOf(identity)).not.toBe(first);
  const next = generationOf(identity);
  expect(next).toBeDefined();
  if (!("server_time_usec" in said)) {
    tell(identity, said, 2000);
    expect(generationOf(identity)).toBe(next);
  }
});

it.each([
  ["ahead by less", SAID.server_time_usec + 2_900_000],
  ["back", SAID.server_time_usec - 3_600_000_000],
])("doesn't change with a clock that is set %s", (_title, server_time_usec) => {
  const { identity, first } = known();
  tell(identity, { server_time_usec }, 1000);
  expect(generationOf(identity)).toBe(first);
});

it("isn't known after the connection ended, and is another afterwards, whoever answers", () => {
  const { identity, first } = known();
  identity.lost();
  expect(identity.answerer()).toBeUndefined();
  tell(identity, {}, 1000);
  expect(generationOf(identity)).not.toBe(first);
  expect(generationOf(identity)).toBeDefined();
});

it("no two connections' are the same", () => {
  expect(known().first).not.toBe(known().first);
});

it("one that says nothing is the same until its connection ends", () => {
  const identity = createIdentity();
  const tellNothing = () => {
    identity.told(readInfo(""), at(0), at(0));
  };
  tellNothing();
  const first = generationOf(identity);
  tellNothing();
  expect(identity.answerer()).toEqual({ generation: first, runId: undefined, steadyLead: undefined });
  expect(first).toBeDefined();
});
