"use client";

import Link from "next/link";
import { usePathname, useRouter } from "next/navigation";
import { useEffect } from "react";
import { client } from "../lib/client";
import { LogOut } from "./log-out";

export function Navigation({ isSignedIn }: { isSignedIn: boolean }) {
  const pathname = usePathname();
  const router = useRouter();

  // In every tab, and by loading a page anew: Next keeps the pages that were shown, for Back.
  useEffect(() => {
    if (!isSignedIn) return;
    return client().onSignedOut(({ reason, here }) => location.assign(`/?ended=${here ? "here" : reason}`));
  }, [isSignedIn]);

  // A layout isn't rendered again on the way from page to page: look whether somebody signed in or out elsewhere.
  useEffect(() => {
    const look = async () => {
      const { status } = await client().fetch("/api/users/me");
      if (status === (isSignedIn ? 401 : 200)) router.refresh();
    };
    look().catch(() => undefined);
  }, [pathname, isSignedIn]);

  return (
    <nav>
      <Link href="/">Home</Link>
      <Link href="/account" prefetch={false}>
        Account
      </Link>
      {isSignedIn && <LogOut />}
    </nav>
  );
}
