import { useSyncExternalStore } from "react";

const never = () => () => undefined;

/** False until the page's code runs. Until then a button does nothing, and a form would put a password into the URL. */
export const useHydrated = () =>
  useSyncExternalStore(
    never,
    () => true,
    () => false,
  );
