import type { ReactNode } from "react";
import { currentUser } from "../lib/curfew";
import "./app.css";
import { Navigation } from "./navigation";

export const metadata = { title: "Curfew with Next.js" };

export default async function Layout({ children }: { children: ReactNode }) {
  // While Curfew can't say, somebody may be signed in, and keeps the button.
  const isSignedIn = await currentUser().then(Boolean, () => true);
  return (
    <html lang="en">
      <body>
        <Navigation isSignedIn={isSignedIn} />
        <main>{children}</main>
      </body>
    </html>
  );
}
