import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The page and Curfew share an origin, as they would behind one nginx.
const proxy = { "/api": process.env.CURFEW_URL ?? "http://127.0.0.1:3000" };

export default defineConfig({ plugins: [react()], server: { proxy }, preview: { proxy } });
