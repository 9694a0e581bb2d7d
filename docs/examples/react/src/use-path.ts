import { useEffect, useState } from "react";

/** The address's path, and a function that goes to another. Your router has both. */
export function usePath() {
  const [path, setPath] = useState(location.pathname);

  useEffect(() => {
    const look = () => setPath(location.pathname);
    addEventListener("popstate", look);
    return () => removeEventListener("popstate", look);
  }, []);

  const go = (to: string) => {
    if (to !== location.pathname) history.pushState(null, "", to);
    setPath(to);
  };
  return [path, go] as const;
}
