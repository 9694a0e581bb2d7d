import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { replaceFile } from "../../src/keys/replace-file";

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "curfew-replace-"));
  file = join(dir, "file");
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

const modeOf = (path: string) => statSync(path).mode & 0o777;

it("makes a file that is its owner's alone, whatever the umask", () => {
  const before = process.umask(0);
  try {
    replaceFile(file, "text");
  } finally {
    process.umask(before);
  }
  expect(readFileSync(file, "utf8")).toBe("text");
  expect(modeOf(file)).toBe(0o600);
});

it.each([
  [0o600, 0o600],
  [0o640, 0o640],
  [0o666, 0o660],
  [0o400, 0o400],
])("writes over a file of mode %o, which then has %o", (mode, after) => {
  writeFileSync(file, "earlier and longer");
  chmodSync(file, mode);
  replaceFile(file, "text");
  expect(readFileSync(file, "utf8")).toBe("text");
  expect(modeOf(file)).toBe(after);
});

it("puts another file in the place of the earlier one, so that nobody reads half of it", () => {
  writeFileSync(file, "earlier");
  const { ino } = statSync(file);
  replaceFile(file, "text");
  expect(statSync(file).ino).not.toBe(ino);
  expect(readdirSync(dir)).toEqual(["file"]);
});

it("follows a link, which stays one", () => {
  const link = join(dir, "link");
  writeFileSync(file, "earlier");
  symlinkSync("file", link);
  replaceFile(link, "text");
  expect(lstatSync(link).isSymbolicLink()).toBe(true);
  expect(readFileSync(file, "utf8")).toBe("text");
});

it("leaves nothing behind where it can't write", () => {
  mkdirSync(file);
  expect(() => {
    replaceFile(file, "text");
  }).toThrow();
  expect(readdirSync(dir)).toEqual(["file"]);
});

// Only root may give files away.
(process.getuid?.() === 0 ? it : it.skip)("leaves the file to whom it belongs", () => {
  writeFileSync(file, "earlier");
  chownSync(file, 1234, 4321);
  replaceFile(file, "text");
  expect(statSync(file)).toMatchObject({ uid: 1234, gid: 4321 });
});
