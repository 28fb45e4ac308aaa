// Finds and names faces away from the page's own thread, so that the page stays responsive.
//
// Messages in:  {kind: "start", settings} once, {kind: "frame" | "picture", id, source, time},
//               {kind: "smoothing", seconds}
// Messages out: {kind: "loading", loaded, total}, {kind: "ready", threads},
//               {kind: "found", id, faces, detecting, recognising}, {kind: "failed", id, reason}

import * as ort from "./runtime/ort.wasm.min.mjs";
import { open } from "./lib/networks.js";
import { pixelsOf } from "./lib/frames.js";

let recogniser = null;

/** Threads of the networks: more need a page with the headers of `fer-tune camera`. */
const MOST_THREADS = 4;

async function start(settings) {
  const threads = self.crossOriginIsolated
    ? Math.min(MOST_THREADS, navigator.hardwareConcurrency || 1)
    : 1;
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmPaths = new URL("./runtime/", import.meta.url).href;
  const files = [...Object.values(settings.detector), ...settings.models.map((one) => one.file)];
  const total = files.reduce((sum, file) => sum + file.bytes, 0);
  let before = 0;
  recogniser = await open(ort, settings, async (file) => {
    const content = await fetched(file, (loaded) => {
      self.postMessage({ kind: "loading", loaded: before + loaded, total });
    });
    before += file.bytes;
    return content;
  });
  self.postMessage({ kind: "ready", threads });
}

async function fetched(file, report) {
  const response = await fetch(new URL(file.path, import.meta.url));
  if (!response.ok) {
    throw new Error(`${file.path} cannot be loaded: ${await reasonOf(response)}`);
  }
  const content = new Uint8Array(file.bytes);
  const reader = response.body.getReader();
  let loaded = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (loaded + value.length > file.bytes) break;
    content.set(value, loaded);
    loaded += value.length;
    report(loaded);
  }
  if (loaded !== file.bytes) {
    throw new Error(`${file.path} is not the file of this page: export it again`);
  }
  return content;
}

async function reasonOf(response) {
  const isOurs = (response.headers.get("content-type") || "").startsWith("text/plain");
  return isOurs ? (await response.text()).trim() : `the server answered ${response.status}`;
}

self.onmessage = async ({ data: message }) => {
  try {
    if (message.kind === "start") await start(message.settings);
    else if (message.kind === "smoothing") recogniser.smooth(message.seconds);
    else {
      const picture = await pixelsOf(message.source);
      const found =
        message.kind === "frame"
          ? await recogniser.frame(picture, message.time)
          : await recogniser.picture(picture);
      self.postMessage({ kind: "found", id: message.id, ...found });
    }
  } catch (error) {
    self.postMessage({ kind: "failed", id: message.id, reason: String(error.message || error) });
  }
};
