// Recognises raw RGB pictures with the page's modules on onnxruntime-web, without a browser.
//
// Arguments: the page's folder. Standard input: [{width, height, data: base64, video}]. Output: the
// detected faces of each, and what the recogniser says.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const folder = process.argv[2];
const load = (name) => import(pathToFileURL(join(folder, name)));
const ort = await load("runtime/ort.wasm.min.mjs");
const { open } = await load("lib/networks.js");
const { PICTURE, VIDEO } = await load("lib/mtcnn.js");

ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmBinary = readFileSync(join(folder, "runtime/ort-wasm-simd-threaded.wasm")).buffer;
const settings = JSON.parse(readFileSync(join(folder, "page.json"), "utf-8"));
const recogniser = await open(ort, settings, async ({ path }) => readFileSync(join(folder, path)));

const results = [];
for (const { width, height, data, video } of JSON.parse(readFileSync(0, "utf-8"))) {
  const picture = { width, height, channels: 3, data: new Uint8Array(Buffer.from(data, "base64")) };
  const faces = await recogniser.detector.detect(picture, video ? VIDEO : PICTURE);
  const followed = faces.length > 0 ? await recogniser.detector.follow(picture, faces) : [];
  results.push({ detected: faces, followed, ...(await recogniser.picture(picture)) });
}
process.stdout.write(JSON.stringify(results), () => process.exit(0));
