// Builds the page into dist/, from where the binary embeds it. During `npm run dev` the API of a running opstream answers.
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

const opstream = "http://127.0.0.1:8080";

export default defineConfig({
  // Everything is found relative to the page, wherever a proxy puts it.
  base: "./",
  plugins: [svelte()],
  build: {
    // The server's content security policy allows neither inline scripts nor data: fonts; everything is a file of its own.
    assetsInlineLimit: 0,
    // A first look is few files, all asked for at once: what several pages are made of comes with the frame around them, and its styles too.
    cssCodeSplit: false,
    rollupOptions: { output: { manualChunks: (id) => (/\/src\/pages\//.test(id) || id.endsWith("/src/main.ts") ? undefined : "frame") } },
    modulePreload: { polyfill: false },
    sourcemap: false,
    target: "es2022",
  },
  server: {
    // The host stays that of the page: a request from another origin than it names would be refused.
    proxy: Object.fromEntries(["/v1", "/health"].map((path) => [path, { target: opstream, changeOrigin: false }])),
  },
});
