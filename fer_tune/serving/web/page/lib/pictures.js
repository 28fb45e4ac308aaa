// From a face's pixels to what a classifier sees. As data/pixels.py and serving/predictor.py.

import { round } from "./boxes.js";
import { resized8, resizedFloat } from "./resample.js";

/** RGB of a canvas's RGBA; what is transparent was laid over white before. */
export function fromRgba(data, width, height) {
  const found = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; from < data.length; from += 4) {
    found[to++] = data[from];
    found[to++] = data[from + 1];
    found[to++] = data[from + 2];
  }
  return { data: found, width, height, channels: 3 };
}

/**
 * The input of a classifier, uint8 (channels, crop, crop) as one array.
 *
 * @param prepared {max_side, channels, resized_side, crop_size} of its card.
 */
export function inputOf(picture, prepared) {
  const packed = asPacked(picture, prepared);
  const side = prepared.resized_side;
  const resized = resizedFloat(packed, side, side);
  const { channels } = packed;
  const crop = prepared.crop_size;
  const edge = Math.floor((side - crop) / 2);
  const found = new Uint8Array(channels * crop * crop);
  let to = 0;
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < crop; y++) {
      for (let x = 0; x < crop; x++) {
        const value = resized.data[((y + edge) * side + x + edge) * channels + c];
        found[to++] = Math.min(Math.max(round(value), 0), 255);
      }
    }
  }
  return found;
}

/** The picture as an import would have packed it: grey or colour, not above `max_side`. */
function asPacked(picture, prepared) {
  const packed = canonical(picture, prepared.max_side);
  if (packed.channels === prepared.channels) return packed;
  return prepared.channels === 1 ? luma(packed) : repeated(packed);
}

/** One channel where red, green and blue agree; the longer side at most `most` pixels. */
export function canonical(picture, most) {
  const found = isGrey(picture) ? firstChannel(picture) : picture;
  const longer = Math.max(found.width, found.height);
  if (longer <= most) return found;
  const [width, height] = [found.width, found.height].map((side) =>
    Math.max(1, round(side * (most / longer))),
  );
  return resized8(found, width, height, "lanczos");
}

function isGrey({ data, channels }) {
  if (channels === 1) return false; // there is nothing to remove
  for (let at = 0; at < data.length; at += 3) {
    if (data[at] !== data[at + 1] || data[at] !== data[at + 2]) return false;
  }
  return true;
}

const firstChannel = (picture) => mapped(picture, (data, at) => data[at]);

/** ITU-R 601-2, as Pillow converts colour to grey. */
const luma = (picture) =>
  mapped(
    picture,
    (data, at) =>
      (data[at] * 19595 + data[at + 1] * 38470 + data[at + 2] * 7471 + 0x8000) >> 16,
  );

function mapped({ data, width, height }, grey) {
  const found = new Uint8Array(width * height);
  for (let to = 0; to < found.length; to++) found[to] = grey(data, to * 3);
  return { data: found, width, height, channels: 1 };
}

function repeated({ data, width, height }) {
  const found = new Uint8Array(data.length * 3);
  for (let at = 0; at < found.length; at++) found[at] = data[Math.floor(at / 3)];
  return { data: found, width, height, channels: 3 };
}
