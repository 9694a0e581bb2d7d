import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createActs } from "./acts";
import { judge } from "./judge";
import { createRecorder, type Kind, type Operation } from "./operation";
import { createRandom } from "./random";
import { countOf, reportOf } from "./report";

type More = Partial<Operation>;

/** Histories made by hand: of Ada, her phone and her tablet, unless something else is said. */
const operation = (kind: Kind, startedAt: number, endedAt: number, more: More): Operation => ({
  kind,
  user: "ada",
  sid: "phone",
  instance: 0,
  startedAt,
  endedAt,
  status: 200,
  code: undefined,
  ...more,
});
const login = (startedAt: number, endedAt: number, more: More = {}) =>
  operation("login", startedAt, endedAt, more);
const check = (startedAt: number, endedAt: number, more: More = {}) =>
  operation("check", startedAt, endedAt, more);
const refresh = (startedAt: number, endedAt: number, more: More = {}) =>
  operation("refresh", startedAt, endedAt, more);
const logout = (startedAt: number, endedAt: number, more: More = {}) =>
  operation("logout", startedAt, endedAt, { ends: { sids: [more.sid ?? "phone"] }, ...more });
const logoutAll = (startedAt: number, endedAt: number, more: More = {}) =>
  operation("logout of all devices", startedAt, endedAt, {
    ends: { sids: [more.sid ?? "phone"], all: true },
    ...more,
  });
const endOthers = (startedAt: number, endedAt: number, more: More = {}) =>
  operation("end of the others", startedAt, endedAt, {
    status: 204,
    ends: { sids: [], all: true, spares: more.sid ?? "phone" },
    ...more,
  });
const nobodys =
  (kind: Kind) =>
  (startedAt: number, endedAt: number, more: More = {}): Operation => ({
    kind,
    user: "",
    startedAt,
    endedAt,
    status: 200,
    code: undefined,
    ...more,
  });

const [flush, loss, calm] = [nobodys("flush"), nobodys("loss"), nobodys("calm")];

const TABLET = { sid: "tablet" };
const REFUSED = { status: 401, code: "token_revoked" };
const UNAVAILABLE = { status: 503, code: "denylist_unavailable" };
const NO_ANSWER = { status: undefined };

const rulesIn = (history: Operation[], options = {}) =>
  judge(history, options).findings.map(({ rule }) => rule);

describe("who is accepted after a logout was acknowledged is found", () => {
  it.each<[title: string, history: Operation[]]>([
    ["by a check", [login(0, 1), logout(2, 3), check(4, 5)]],
    [
      "by a check that answers 204",
      [login(0, 1), logout(2, 3, { status: 204 }), check(4, 5, { status: 204 })],
    ],
    ["by a refresh", [login(0, 1), logout(2, 3), refresh(4, 5)]],
    ["by ending sessions", [login(0, 1), logout(2, 3), endOthers(4, 5)]],
    ["of another device", [login(0, 1), login(0, 1, TABLET), logoutAll(2, 3), check(4, 5, TABLET)]],
    ["ended by another device", [login(0, 1), login(0, 1, TABLET), endOthers(2, 3), check(4, 5, TABLET)]],
    ["with an emptied Redis", [login(0, 1), flush(2, 3), check(4, 5)]],
    ["when a second logout is refused", [login(0, 1), logout(2, 3), logoutAll(4, 5, REFUSED), check(6, 7)]],
    ["when an earlier logout failed", [login(0, 1), logout(2, 3, UNAVAILABLE), logout(4, 5), check(6, 7)]],
    [
      "of another device, when a failed logout of all is over and done with",
      [
        login(0, 1, { sid: "old" }),
        logoutAll(2, 3, { sid: "old", ...UNAVAILABLE }),
        calm(4, 5),
        login(1006, 1007),
        login(1006, 1007, TABLET),
        logoutAll(1008, 1009),
        check(1010, 1011, TABLET),
      ],
    ],
    ["in a history that isn't sorted", [check(4, 5), logout(2, 3), login(0, 1)]],
  ])("%s", (_title, history) => {
    expect(rulesIn(history)).toEqual(["accepted after its logout"]);
    expect(rulesIn(history, { mayLose: true })).toEqual(["accepted after its logout"]);
  });

  it("with the first logout that should have been one", () => {
    const [first, second] = [logout(2, 4), logout(3, 5)];
    const [finding] = judge([login(0, 1), second, first, check(6, 7)]).findings;
    expect(finding?.because).toBe(first);
  });
});

describe("nothing is found", () => {
  const both = [login(0, 1), login(0, 1, TABLET)];

  it.each<[title: string, history: Operation[]]>([
    [
      "where a session is used, and refused once it is over",
      [login(0, 1), check(2, 3), logout(4, 5), check(6, 7, REFUSED)],
    ],
    [
      "in a check that overlaps the logout, whatever it answers",
      [login(0, 1), logout(2, 6), check(3, 8), check(5, 9, REFUSED)],
    ],
    [
      "in a check that starts in the moment in which the logout ends",
      [login(0, 1), logout(2, 3), check(3, 4)],
    ],
    ["when a logout that failed did not happen", [login(0, 1), logout(2, 3, UNAVAILABLE), check(4, 5)]],
    ["when a logout that failed happened", [login(0, 1), logout(2, 3, UNAVAILABLE), check(4, 5, REFUSED)]],
    [
      "when a logout without an answer happened late",
      [login(0, 1), logout(2, 3, NO_ANSWER), check(4, 5), check(6, 7, REFUSED)],
    ],
    [
      "when a logout of all that failed may have happened until it was calm, and the next was one too many",
      [
        login(0, 1, { sid: "old" }),
        logoutAll(2, 3, { sid: "old", ...UNAVAILABLE }),
        calm(4, 5),
        login(1003, 1004),
        login(1003, 1004, TABLET),
        logoutAll(1008, 1009),
        check(1010, 1011, TABLET),
        check(1010, 1011, REFUSED),
      ],
    ],
    ["when nobody knows", [login(0, 1), logout(2, 3), check(4, 5, UNAVAILABLE), check(6, 7, NO_ANSWER)]],
    ["on a device that was not logged out", [...both, logout(2, 3), check(4, 5, TABLET)]],
    ["on the device that ended the others", [...both, endOthers(2, 3), check(4, 5)]],
    [
      "for somebody else",
      [
        login(0, 1),
        login(0, 1, { ...TABLET, user: "bob" }),
        logoutAll(2, 3),
        check(4, 5, { ...TABLET, user: "bob" }),
      ],
    ],
    ["after a login that follows", [login(0, 1), logoutAll(2, 3), login(4, 5, TABLET), check(6, 7, TABLET)]],
    [
      "after a login that overlaps, whether it is in or out",
      [
        login(0, 1),
        login(2, 4, TABLET),
        logoutAll(3, 5),
        check(6, 7, TABLET),
        check(8, 9, { ...TABLET, ...REFUSED }),
      ],
    ],
    [
      "when all devices are logged out again by one of them",
      [
        ...both,
        logoutAll(2, 3),
        login(4, 5, { sid: "new" }),
        logoutAll(6, 7, TABLET),
        check(8, 9, { sid: "new" }),
      ],
    ],
    [
      "when a session that is over tries to end others",
      [...both, logout(2, 3), endOthers(4, 5, REFUSED), check(6, 7, TABLET)],
    ],
    ["when a token has expired", [login(0, 1), check(2, 3, { status: 401, code: "token_expired" })]],
    [
      "when Redis was emptied",
      [login(0, 1), flush(2, 3), check(4, 5, REFUSED), login(6, 7, { status: 401 })],
    ],
    [
      "when a user has more than a hundred sessions",
      [
        login(0, 1),
        ...Array.from({ length: 100 }, (_, at) => login(at + 2, at + 3, { sid: `${at}` })),
        check(200, 201, REFUSED),
      ],
    ],
  ])("%s", (_title, history) => {
    expect(judge(history)).toEqual({ findings: [], excused: [] });
  });
});

describe("who is refused for no reason is found", () => {
  it.each<[title: string, history: Operation[]]>([
    ["in a check", [login(0, 1), check(2, 3, REFUSED)]],
    ["in a refresh", [login(0, 1), refresh(2, 3, { status: 401, code: "refresh_token_reused" })]],
    ["before the logout starts", [login(0, 1), check(2, 3, REFUSED), logout(4, 5)]],
    [
      "after a device that was refused tried to log out all",
      [
        login(0, 1),
        login(0, 1, TABLET),
        logout(2, 3),
        logoutAll(4, 5, REFUSED),
        check(6, 7, { ...TABLET, ...REFUSED }),
      ],
    ],
    [
      "after logging in when all devices had been logged out",
      [login(0, 1), logoutAll(2, 3), login(4, 5, TABLET), check(6, 7, { ...TABLET, ...REFUSED })],
    ],
    [
      "with fewer than a hundred sessions after it",
      [
        login(0, 1),
        ...Array.from({ length: 99 }, (_, at) => login(at + 2, at + 3, { sid: `${at}` })),
        check(200, 201, REFUSED),
      ],
    ],
    [
      "in a login",
      [operation("register", 0, 1, { status: 201 }), login(2, 3, { sid: "tablet", status: 401 })],
    ],
  ])("%s", (_title, history) => {
    expect(rulesIn(history)).toEqual(["refused for no reason"]);
    expect(rulesIn(history, { mayLose: true })).toEqual([]);
  });
});

describe("who is accepted after a logout that a fault brought to naught", () => {
  const out = [login(0, 1), logout(2, 3)];
  const ALLOWED = { allowanceMs: 1000 };

  it.each<[title: string, history: Operation[]]>([
    ["while the fault comes", [...out, loss(4, 20, ALLOWED), check(10, 11)]],
    ["until it must have been noticed", [...out, loss(4, 5, ALLOWED), check(1005, 1200)]],
    ["in a check that began before it", [...out, check(4, 10), loss(9, 20, ALLOWED)]],
    ["on the instance that it concerns", [...out, loss(4, 5, { ...ALLOWED, instance: 0 }), check(6, 7)]],
    ["where all is over", [login(0, 1), flush(4, 5, ALLOWED), check(6, 7)]],
  ])("is excused %s", (_title, history) => {
    const { findings, excused } = judge(history);
    expect(findings).toEqual([]);
    expect(excused.map(({ rule }) => rule)).toEqual(["accepted after its logout"]);
  });

  it.each<[title: string, history: Operation[]]>([
    ["before the fault", [...out, check(4, 5), loss(6, 7, ALLOWED)]],
    ["when it must have been noticed", [...out, loss(4, 5, ALLOWED), check(1006, 1007)]],
    ["where there is no time to notice it", [...out, loss(4, 10), check(6, 7)]],
    [
      "on an instance that it doesn't concern",
      [...out, loss(4, 5, { ...ALLOWED, instance: 1 }), check(6, 7)],
    ],
    ["where all is over", [login(0, 1), flush(4, 5, ALLOWED), check(1006, 1007)]],
  ])("is found %s", (_title, history) => {
    const { findings, excused } = judge(history);
    expect(findings.map(({ rule }) => rule)).toEqual(["accepted after its logout"]);
    expect(excused).toEqual([]);
  });

  it("nothing else is excused", () => {
    const history = [login(0, 1), loss(2, 3, ALLOWED), check(4, 5, { status: 500 })];
    expect(rulesIn(history)).toEqual(["not an answer we give"]);
  });
});

describe("when Redis may have gone back in time", () => {
  const ALLOWED = { allowanceMs: 1000 };
  const LOST = { status: 401, code: "invalid_credentials" };

  it.each<[title: string, history: Operation[]]>([
    ["who was in may be out", [login(0, 1), loss(2, 3), check(4, 5, REFUSED)]],
    ["who was in may still be in", [login(0, 1), loss(2, 3), check(4, 5)]],
    [
      "so may who came before it was noticed",
      [loss(0, 1, ALLOWED), login(1000, 1002), check(2000, 2001, REFUSED)],
    ],
    ["accounts may be lost", [operation("register", 0, 1, { status: 201 }), loss(2, 3), login(4, 5, LOST)]],
    ["it may have taken long", [loss(0, 20_000)]],
  ])("%s", (_title, history) => {
    expect(rulesIn(history)).toEqual([]);
  });

  it("who comes after that is in", () => {
    const history = [loss(0, 1, ALLOWED), login(1002, 1003), check(2000, 2001, REFUSED)];
    expect(rulesIn(history)).toEqual(["refused for no reason"]);
  });
});

describe("whatever happened before, it is found when", () => {
  it.each<[title: string, rule: string, wrong: Operation]>([
    ["a fault of ours is answered", "not an answer we give", check(2, 3, { status: 500 })],
    ["a gateway's error is answered", "not an answer we give", logout(2, 3, { status: 502 })],
    ["somebody can't log out", "not an answer we give", logout(2, 3, REFUSED)],
    ["a check takes longer than ten seconds", "waited too long", check(2, 10_003)],
    ["a logout never gets an answer", "waited too long", logout(2, 15_002, NO_ANSWER)],
  ])("%s", (_title, rule, wrong) => {
    expect(rulesIn([login(0, 1), wrong])).toEqual([rule]);
  });
});

it("no client presents a refresh token that looks stolen, while nobody has ended the session", async () => {
  const random = {
    ...createRandom(1),
    pick: <T>([first]: readonly T[]) => first,
    pickWeighted: <T extends [number, ...unknown[]]>(ways: readonly T[]): T => {
      const way = ways.find(([, , order]) => (order as { kind: Kind }).kind === "end of a session");
      if (!way) throw new Error("no such way");
      return way;
    },
  };
  const url = await startFakeService();
  const recorder = createRecorder();
  const acts = createActs(() => [url], recorder, random);
  // So many that the last one is of the first one's user.
  for (let count = 0; count < 7; count += 1) await acts.enter();
  const [first, last] = [acts.sessions[0], acts.sessions[6]];
  if (!first || !last) throw new Error("seven sessions were opened");
  expect(last.user).toBe(first.user);
  for (let count = 0; count < 3; count += 1) await acts.refresh(last);
  await acts.logOut(first);
  expect(recorder.history.at(-1)).toMatchObject({ kind: "end of a session", status: 401 });
  await acts.refresh(last);
  expect(recorder.history.at(-1)).toMatchObject({ kind: "refresh", status: 200 });
  expect(acts.live.has(last)).toBe(true);
});

it("the report counts what happened, and names both sides of a finding", () => {
  const history = [
    login(0, 1),
    logout(2, 3),
    check(4, 5),
    check(6, 7, REFUSED),
    check(8, 9, UNAVAILABLE),
    check(9, 9, NO_ANSWER),
  ];
  expect(countOf(history)["check"]).toEqual({ done: 1, refused: 1, unavailable: 1, "no answer": 1, odd: 0 });
  const report = reportOf({
    history,
    strikes: [{ name: "Redis hangs", startedAt: 2, endedAt: 4 }],
    ...judge(history),
  });
  expect(report).toContain("  check: 1 done, 1 refused, 1 unavailable, 1 no answer\n");
  expect(report).toContain("1 faults\n  2.0–4.0 ms: Redis hangs\n");
  expect(report).toContain(
    `1 findings
accepted after its logout: check of ada (session phone, instance 0), 4.0–5.0 ms: 200
    opened by login of ada (session phone, instance 0), 0.0–1.0 ms: 200
    ended by logout of ada (session phone, instance 0), 2.0–3.0 ms: 200`,
  );
});

it("the same seed leads to the same choices, another one to others", () => {
  const draw = (seed: number) => {
    const { whole, pick, pickLate, pickWeighted, shuffle } = createRandom(seed);
    return Array.from({ length: 20 }, () => [
      whole(1, 6),
      pick("abc".split("")),
      pickLate("abc".split("")),
      pickWeighted([
        [1, "rare"],
        [9, "often"],
      ] as [number, string][]),
      shuffle([1, 2, 3]),
    ]);
  };
  expect(draw(7)).toEqual(draw(7));
  expect(draw(7)).not.toEqual(draw(8));
});

/** Takes each refresh token once, and lets nobody end anything. */
async function startFakeService() {
  let count = 0;
  const used = new Set<string>();
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += String(chunk)));
    request.on("end", () => {
      const { refresh_token = "" } = JSON.parse(body || "{}") as { refresh_token?: string };
      const isRefused = request.method === "DELETE" || used.has(refresh_token);
      if (refresh_token !== "") used.add(refresh_token);
      const payload = Buffer.from(JSON.stringify({ sid: String((count += 1)) })).toString("base64url");
      const tokens = { access_token: `x.${payload}.x`, refresh_token: String(count) };
      response.setHeader("Connection", "close");
      response.statusCode = isRefused ? 401 : 200;
      response.end(JSON.stringify(isRefused ? { code: "refused" } : tokens));
    });
  });
  server.listen(0, "127.0.0.1").unref();
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("where instances have mirrors", () => {
  const before = [login(0, 10), logout(20, 30)];
  const judged = (...later: Operation[]) => {
    const { findings, excused } = judge([...before, ...later], { stalenessMs: 1000 });
    return { findings: findings.length, excused: excused.length };
  };

  it("another instance may accept for so long after a logout, and no longer", () => {
    expect(judged(check(1030, 1040, { instance: 1 }))).toEqual({ findings: 0, excused: 1 });
    expect(judged(check(1031, 1040, { instance: 1 }))).toEqual({ findings: 1, excused: 0 });
  });

  it("neither the one that was asked, nor a refresh", () => {
    expect(judged(check(31, 40))).toEqual({ findings: 1, excused: 0 });
    expect(judged(refresh(31, 40, { instance: 1 }))).toEqual({ findings: 1, excused: 0 });
  });
});
