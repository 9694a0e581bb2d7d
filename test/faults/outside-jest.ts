/** Lets the helpers run by themselves: imported before them, it ends with the process what they end with the tests. */
Object.assign(globalThis, {
  afterAll: (end: () => void) => {
    process.once("exit", end);
  },
});
