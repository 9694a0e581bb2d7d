"use client";

import { useState } from "react";
import { client } from "../../lib/client";
import { useHydrated } from "../../lib/use-hydrated";

export function Report() {
  const [text, setText] = useState("");
  const isHydrated = useHydrated();

  const load = async () => {
    const response = await client().fetch("/api/report");
    setText(response.ok ? (await response.json()).text : "Please try again.");
  };
  return (
    <p>
      <button disabled={!isHydrated} onClick={() => load().catch(() => setText("Are you online?"))}>
        Read the report
      </button>{" "}
      <span role="status">{text}</span>
    </p>
  );
}
