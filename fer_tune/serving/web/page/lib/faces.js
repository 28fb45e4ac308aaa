// Which part of a picture is a face. As faces/auto.py.

import { iou } from "./boxes.js";
import { frameOf } from "./registration.js";

/** A picture is a face if the crop of its only face covers so much of the union of both. */
const FILLS = 0.5;

/** Whether a picture is taken for a face before any is looked for: it is as small as one. */
export function isSmall({ width, height }, side) {
  return Math.max(width, height) <= 2 * side;
}

/** Whether the only face of a picture fills it. */
export function fills({ width, height }, faces) {
  if (faces.length !== 1) return false;
  const { x, y, side } = frameOf(faces[0]);
  const crop = [x - side / 2, y - side / 2, x + side / 2, y + side / 2];
  return iou(crop, [0, 0, width, height]) >= FILLS;
}
