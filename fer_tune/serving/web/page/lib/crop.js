// A detected face cut out of its picture, as the training pictures were. As faces/crop.py.

import { round } from "./boxes.js";
import { cornersOf, pointOf } from "./registration.js";
import { resizedFloat } from "./resample.js";

/** Samples per pixel of the crop, along each axis, at most; of larger faces less is read. */
const MOST_SAMPLES = 4;

/** The content of `frame`, antialiased, as a picture of `side` x `side` 8-bit pixels. */
export function cutOut(picture, frame, side) {
  const near = surroundings(picture, frame);
  const { region, frame: own } = reduced(near.region, near.frame, side);
  const samples = Math.max(side, Math.ceil(own.side));
  const small = resizedFloat(sampled(region, own, samples), side, side);
  const data = Uint8Array.from(small.data, (value) => Math.min(Math.max(round(value), 0), 255));
  return { data, width: side, height: side, channels: picture.channels };
}

/** The part of the picture that the frame may need, and the frame there. */
function surroundings({ data, width, height, channels }, frame) {
  const corners = cornersOf(frame);
  const [left, right] = limits(corners.map((point) => point[0]), width);
  const [top, bottom] = limits(corners.map((point) => point[1]), height);
  const row = (right - left) * channels;
  const found = new Float64Array(row * (bottom - top));
  for (let y = top; y < bottom; y++) {
    const from = (y * width + left) * channels;
    found.set(data.subarray(from, from + row), (y - top) * row);
  }
  return {
    region: { data: found, width: right - left, height: bottom - top, channels },
    frame: { ...frame, x: frame.x - left, y: frame.y - top },
  };
}

function limits(values, size) {
  const low = Math.min(Math.max(Math.floor(Math.min(...values)) - 2, 0), size - 1);
  const high = Math.min(Math.max(Math.ceil(Math.max(...values)) + 2, low + 1), size);
  return [low, high];
}

/** Both smaller, where the frame has more samples than needed. */
function reduced(region, frame, side) {
  const factor = frame.side / (side * MOST_SAMPLES);
  if (factor <= 1) return { region, frame };
  const width = Math.max(1, round(region.width / factor));
  const height = Math.max(1, round(region.height / factor));
  return {
    region: resizedFloat(region, width, height),
    frame: {
      ...frame,
      x: (frame.x * width) / region.width,
      y: (frame.y * height) / region.height,
      side: frame.side / factor,
    },
  };
}

/** `samples` x `samples` points of the frame, bilinear; beyond the region its edge is repeated. */
function sampled({ data, width, height, channels }, frame, samples) {
  const found = new Float64Array(samples * samples * channels);
  const [startX, startY] = pointOf(frame, 0, 0);
  const [cos, sin] = [Math.cos(frame.turn), Math.sin(frame.turn)];
  const step = frame.side / samples;
  let to = 0;
  for (let v = 0; v < samples; v++) {
    for (let u = 0; u < samples; u++) {
      const [along, down] = [(u + 0.5) * step, (v + 0.5) * step];
      const x = clamp(startX + along * cos - down * sin - 0.5, width - 1);
      const y = clamp(startY + along * sin + down * cos - 0.5, height - 1);
      const [left, top] = [Math.floor(x), Math.floor(y)];
      const right = Math.min(left + 1, width - 1);
      const below = Math.min(top + 1, height - 1);
      const [fx, fy] = [x - left, y - top];
      for (let c = 0; c < channels; c++) {
        const upper =
          data[(top * width + left) * channels + c] * (1 - fx) +
          data[(top * width + right) * channels + c] * fx;
        const lower =
          data[(below * width + left) * channels + c] * (1 - fx) +
          data[(below * width + right) * channels + c] * fx;
        found[to++] = upper * (1 - fy) + lower * fy;
      }
    }
  }
  return { data: found, width: samples, height: samples, channels };
}

function clamp(value, high) {
  return Math.min(Math.max(value, 0), high);
}
