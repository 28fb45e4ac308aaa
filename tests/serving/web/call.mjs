// Calls functions of the page's modules: reads [{module, name, args}] from standard input and
// writes their results. Pictures are {width, height, channels, data: base64}.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const page = pathToFileURL(process.argv[2] + "/");

function decoded(value) {
  if (Array.isArray(value)) return value.map(decoded);
  if (value === null || typeof value !== "object") return value;
  if (typeof value.data === "string") {
    const bytes = new Uint8Array(Buffer.from(value.data, "base64"));
    return { ...value, data: value.floats ? Float64Array.from(bytes) : bytes };
  }
  if (typeof value.bytes === "string") return new Uint8Array(Buffer.from(value.bytes, "base64"));
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, decoded(one)]));
}

function encoded(value) {
  if (ArrayBuffer.isView(value)) return Array.from(value);
  if (Array.isArray(value)) return value.map(encoded);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, encoded(one)]));
}

const results = [];
for (const { module, name, args } of JSON.parse(readFileSync(0, "utf-8"))) {
  const found = await import(new URL(module, page));
  results.push(encoded(found[name](...args.map(decoded))));
}
process.stdout.write(JSON.stringify(results));
