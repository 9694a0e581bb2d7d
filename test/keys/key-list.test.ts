import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readKeyList, sourceOf, writeKeyList } from "../../src/keys/key-list";
import { pemOf, readPrivateKey, readSecret } from "../../src/keys/keys";
import { SECRET } from "../helpers/service";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "curfew-keys-"));
});
afterAll(() => {
  rmSync(dir, { recursive: true });
});

const [one, other] = [1, 2].map(() => pemOf(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey));
const rsa1024 = pemOf(generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey);
const secretOf = (at: number) => `${SECRET}-${at}`;

function read(list: unknown) {
  const file = join(dir, "keys.json");
  writeFileSync(file, typeof list === "string" ? list : JSON.stringify(list));
  return readKeyList(file);
}

it("reads secrets and private keys, in order, as the same keys that would sign", () => {
  const { listed, problems } = read([{ private_key: one }, { secret: SECRET }, { private_key: other }]);
  expect(problems).toEqual([]);
  expect(listed.map(({ key }) => key.kid)).toEqual(
    [readPrivateKey(one ?? ""), readSecret(SECRET), readPrivateKey(other ?? "")].map(({ kid }) => kid),
  );
});

it("finds a private key's file beside the list, wherever the process runs, or where an absolute name says", () => {
  mkdirSync(join(dir, "pem"));
  writeFileSync(join(dir, "pem", "one.pem"), one ?? "");
  writeFileSync(join(dir, "other.pem"), other ?? "");
  const { listed } = read([
    { private_key_file: "pem/one.pem" },
    { private_key_file: join(dir, "other.pem") },
  ]);
  expect(listed.map(({ key }) => key.algorithm)).toEqual(["ES256", "ES256"]);
});

it("keeps the times that `curfew keys` wrote", () => {
  const entry = {
    secret: SECRET,
    added_at: "2030-01-31T12:00:00Z",
    needed_until: "2030-03-01T00:00:00.123Z",
  };
  expect(read([entry]).listed[0]?.entry).toEqual(entry);
});

it("reads what it wrote as the same keys, by value", () => {
  const keys = [readSecret(SECRET), readPrivateKey(one ?? "")];
  const file = join(dir, "written.json");
  writeKeyList(
    file,
    keys.map((key) => ({ key, entry: sourceOf(key) })),
  );
  const { listed } = readKeyList(file);
  for (const [at, { key }] of listed.entries()) {
    expect(key.kid).toBe(keys[at]?.kid);
    expect(keys[at]?.refreshKey.equals(key.refreshKey)).toBe(true);
  }
});

const hidden = "hunter2hunter2hunter2hunter2";
it.each<[string, unknown, string[]]>([
  ["no JSON", `[{"secret":"${hidden}"`, ["it is not JSON"]],
  ["an object", { secret: hidden }, ["it is not a JSON array"]],
  ["null", null, ["it is not a JSON array"]],
  ["a string for a key", [hidden], ["[0]: it is not a JSON object"]],
  ["an array for a key", [[hidden]], ["[0]: it is not a JSON object"]],
  ["a name that isn't known", [{ secret: SECRET, [hidden]: 1 }], ["[0]: it has an unknown name"]],
  ["no key", [{}], ["[0]: it needs one of secret, private_key, private_key_file"]],
  [
    "two keys in one",
    [{ secret: SECRET, private_key: one }],
    ["[0]: it needs one of secret, private_key, private_key_file"],
  ],
  ["a number for a secret", [{ secret: 5 }], ["[0].secret: it is not a string"]],
  ["an empty secret", [{ secret: "" }], ["[0].secret: it is 0 bytes long, which is less than 32"]],
  [
    "a weak secret",
    [{ secret: SECRET }, { secret: hidden.repeat(2) }],
    ["[1].secret: it can be guessed: it repeats itself or follows a pattern"],
  ],
  [
    "a weak pair",
    [{ private_key: rsa1024 }],
    ["[0].private_key: it holds a key that is neither RSA of 2048 bits or more nor P-256"],
  ],
  [
    "no PEM",
    [{ private_key: hidden }],
    ["[0].private_key: it holds no private key in PEM without a passphrase"],
  ],
  [
    "a file that is missing",
    [{ private_key_file: hidden }],
    ["[0].private_key_file: it can't be read (ENOENT)"],
  ],
  [
    "a time in words",
    [{ secret: SECRET, added_at: "today" }],
    ["[0].added_at: it is not a time such as 2030-01-31T12:00:00Z"],
  ],
  [
    "the same key twice",
    [{ private_key: one }, { secret: SECRET }, { private_key: one }],
    ["[2]: it is the key of [0] again"],
  ],
  [
    "17 keys",
    Array.from({ length: 17 }, (_, at) => ({ secret: secretOf(at) })),
    ["it holds more than 16 keys"],
  ],
  [
    "several faults, all of them",
    [{ secret: "short" }, { secret: SECRET, kid: "x" }, 5],
    [
      "[0].secret: it is 5 bytes long, which is less than 32",
      "[1]: it has an unknown name",
      "[2]: it is not a JSON object",
    ],
  ],
])("refuses %s, says where, and repeats nothing of it", (_title, list, problems) => {
  const result = read(list);
  expect(result).toEqual({ listed: [], problems });
  expect(result.problems.join()).not.toMatch(/hunter2|kX9v/);
});

it("takes 16 keys", () => {
  expect(read(Array.from({ length: 16 }, (_, at) => ({ secret: secretOf(at) }))).listed).toHaveLength(16);
});
