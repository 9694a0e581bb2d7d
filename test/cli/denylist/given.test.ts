import { objectionToId, readPasted, readSeconds } from "../../../src/cli/denylist/given";

const TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln";
const REFRESH = "eyJraWQiOiJhIn0.bWFj";

describe("what was pasted", () => {
  it.each([
    TOKEN,
    ` ${TOKEN}\n`,
    `Bearer ${TOKEN}`,
    `bearer\t${TOKEN}`,
    `Authorization: Bearer ${TOKEN}`,
    `'Authorization: Bearer ${TOKEN}'`,
    `"${TOKEN}",`,
    `"access_token": "${TOKEN}",`,
    `__Host-curfew_access=${TOKEN};`,
    `${TOKEN.slice(0, 25)}\r\n  ${TOKEN.slice(25)}`,
    `\uFEFF${TOKEN}`,
  ])("is a token, as it was before it was copied: %j", (text) => {
    expect(readPasted(text)).toEqual({ token: TOKEN });
  });

  it.each([REFRESH, `{"refresh_token":"${REFRESH}"}`.slice(1, -1), TOKEN.slice(0, 20), `x.${TOKEN}`])(
    "is a token all the same, and never taken for an id: %j",
    (text) => {
      expect(readPasted(text)).toHaveProperty("token");
      expect(objectionToId(text)).toMatch(/^That is a token/);
    },
  );

  it("is not mended: a letter too many stays there", () => {
    expect(readPasted(`x${TOKEN}`)).toEqual({ token: `x${TOKEN}` });
  });

  it.each([
    ["0b6f2f0e-7a39-4a4c-8f8e-0d4f3c0b6d11", "0b6f2f0e-7a39-4a4c-8f8e-0d4f3c0b6d11"],
    [" '-~._a' \n", "-~._a"],
    ["clerk:user 1*", "clerk:user 1*"],
    ["a.b.c", "a.b.c"],
    ["e7", "e7"],
    ["clerk:sha256-00", "clerk:sha256-00"],
  ])("is an id: %j", (text, id) => {
    expect(readPasted(text)).toEqual({ id });
    expect(objectionToId(text)).toBeUndefined();
  });
});

describe("a time", () => {
  it.each([
    ["2026-11-21T18:40:00Z", 1_795_286_400],
    ["2026-11-21T19:40:00+01:00", 1_795_286_400],
    ["2026-11-21", 1_795_219_200],
    ["1795286400", 1_795_286_400],
  ])("may be written as %s", (text, seconds) => {
    expect(readSeconds(text, 1)).toBe(seconds);
  });

  it("may be a duration from now, forwards or backwards", () => {
    const now = Date.now() / 1000;
    expect(readSeconds("15m", 1)).toBeCloseTo(now + 900, -1);
    expect(readSeconds("2d", -1)).toBeCloseTo(now - 172_800, -1);
  });

  it.each(["", "15", "soon", "1795286400000", "2026-13-01", "-15m"])("isn't %j", (text) => {
    expect(readSeconds(text, 1)).toBeUndefined();
  });
});
