import { createProgress } from "../../src/cli/progress";

/** What is said of a search through 2,000 keys, of which it has looked at half after a second. */
function saidAfterASecond(isTTY: boolean): string {
  let [nowMs, said] = [0, ""];
  const clock = jest.spyOn(performance, "now").mockImplementation(() => nowMs);
  const write = (text: string) => (said += text);
  const progress = createProgress(2000, "keys", { isTTY, write });
  progress.add(400);
  nowMs = 1000;
  progress.add(600);
  progress.clear();
  clock.mockRestore();
  return said;
}

it("says on a terminal how far a search is that takes a while", () => {
  expect(saidAfterASecond(true)).toBe("\r\u001B[KLooked at 50 % of 2,000 keys. Ctrl-C stops it.\r\u001B[K");
});

it("says nothing in a pipe or a file", () => {
  expect(saidAfterASecond(false)).toBe("");
});
