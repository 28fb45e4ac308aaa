// A picture that the user opens: checked before it is decoded.

import { dimensions } from "../lib/dimensions.js";

const MOST_BYTES = 50 * 2 ** 20;
const MOST_PIXELS = 50e6;
/** Largest canvas of Safari on phones; larger pictures are reduced. */
const CANVAS_PIXELS = 4096 * 4096;
/** Of every format that is read, the size stands in so many first bytes; JPEG has previews first. */
const HEAD_BYTES = 2 ** 20;

/** The decoded picture, an ImageBitmap; throws an Error whose message is for the user. */
export async function opened(file) {
  if (file.size > MOST_BYTES) throw new Error(`${file.name} is larger than 50 MiB.`);
  const head = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
  const size = dimensions(head);
  if (size === null || size.width < 1 || size.height < 1) {
    throw new Error(`${file.name} is not a PNG, JPEG, WebP, GIF or BMP picture.`);
  }
  if (size.width * size.height > MOST_PIXELS) {
    throw new Error(
      `${file.name} has ${size.width} × ${size.height} pixels; at most 50 million can be opened.`,
    );
  }
  try {
    return await createImageBitmap(file, { colorSpaceConversion: "none", ...reduced(size) });
  } catch {
    throw new Error(`${file.name} is damaged and cannot be read.`);
  }
}

/** Options that reduce a picture to what a canvas can hold, also if it is stored on its side. */
function reduced({ width, height }) {
  if (width * height <= CANVAS_PIXELS) return {};
  const ratio = Math.min(width / height, height / width);
  return { resizeWidth: Math.max(1, Math.floor(Math.sqrt(CANVAS_PIXELS * ratio)) - 1), resizeQuality: "high" };
}
