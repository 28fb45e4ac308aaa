// Boxes as arrays: left, top, right and bottom edges in pixels. As faces/boxes.py.

/** Rounds halves to even numbers, as NumPy does. */
export function round(value) {
  const low = Math.floor(value);
  const rest = value - low;
  if (rest < 0.5) return low;
  if (rest > 0.5) return low + 1;
  return low % 2 === 0 ? low : low + 1;
}

export function area([left, top, right, bottom]) {
  return Math.max(right - left, 0) * Math.max(bottom - top, 0);
}

/** Area that two boxes share, in square pixels. */
export function overlap(a, b) {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  return Math.max(width, 0) * Math.max(height, 0);
}

/** Intersection over union, 0 to 1. */
export function iou(a, b) {
  const shared = overlap(a, b);
  return shared / Math.max(area(a) + area(b) - shared, Number.MIN_VALUE);
}

/**
 * Non-maximum suppression: positions of the boxes that remain, the best score first.
 *
 * A box is dropped if it shares more than `limit` with a better one that remains: of the union of
 * both, or of the smaller box.
 */
export function suppressed(boxes, scores, limit, relativeTo = "union") {
  const sizes = boxes.map(area);
  let waiting = boxes.map((_, place) => place).sort((a, b) => scores[b] - scores[a]);
  const kept = [];
  while (waiting.length > 0) {
    const best = waiting[0];
    kept.push(best);
    waiting = waiting.slice(1).filter((other) => {
      const shared = overlap(boxes[best], boxes[other]);
      const base =
        relativeTo === "smaller"
          ? Math.min(sizes[best], sizes[other])
          : sizes[best] + sizes[other] - shared;
      return shared <= limit * base;
    });
  }
  return kept;
}

/** Every edge moved by its offset, a share of the box's width or height. */
export function shifted(box, offsets) {
  const width = box[2] - box[0];
  const height = box[3] - box[1];
  return box.map((edge, place) => edge + offsets[place] * (place % 2 === 0 ? width : height));
}

/** A square with the same centre, as wide as the longer side. */
export function squared([left, top, right, bottom]) {
  const x = (left + right) / 2;
  const y = (top + bottom) / 2;
  const half = Math.max(right - left, bottom - top) / 2;
  return [x - half, y - half, x + half, y + half];
}
