// Where a training picture of a detected face would lie. As faces/registration.py.
//
// A frame is {x, y, side, turn}: its centre and side in pixels, and the turn of its upper edge in
// radians, clockwise as seen.

const SIDE_PER_SPREAD = 1.88;
const SIDE_PER_BOX = 1.085;
const LANDMARKS_AT = 0.589;
const LEAVE_ROLL = 5;
const LEVEL_ROLL = 15;
const TRUST = 1.5;

/** The frame of a face {box, landmarks}; landmarks are five points [x, y]. */
export function frameOf({ box, landmarks }) {
  const [left, top, right, bottom] = box;
  const size = Math.max(right - left, 0) * Math.max(bottom - top, 0);
  const byBox = SIDE_PER_BOX * Math.sqrt(Math.max(size, 1e-6));
  const [x, y] = mean(landmarks);
  const spread = Math.sqrt(
    landmarks.reduce((sum, point) => sum + (point[0] - x) ** 2 + (point[1] - y) ** 2, 0),
  );
  const side = Math.min(Math.max(SIDE_PER_SPREAD * spread, byBox / TRUST), byBox * TRUST);
  const tilt = roll(landmarks);
  const lift = (LANDMARKS_AT - 0.5) * side;
  return {
    x: x + lift * Math.sin(tilt),
    y: y - lift * Math.cos(tilt),
    side,
    turn: undone(tilt),
  };
}

function mean(points) {
  const sum = points.reduce((a, b) => [a[0] + b[0], a[1] + b[1]], [0, 0]);
  return sum.map((value) => value / points.length);
}

/** Tilt of the head, by the lines of eyes and mouth together. */
function roll(points) {
  const [x, y] = [0, 1].map((axis) => {
    return points[1][axis] - points[0][axis] + points[4][axis] - points[3][axis];
  });
  return Math.atan2(y, x);
}

/** The part of a tilt that is undone: none of a small one, all of a large one. */
function undone(tilt) {
  const degrees = (Math.abs(tilt) * 180) / Math.PI;
  const share = (degrees - LEAVE_ROLL) / (LEVEL_ROLL - LEAVE_ROLL);
  return tilt * Math.min(Math.max(share, 0), 1);
}

/** A point of the frame in the picture; u and v are shares of it, from its top left. */
export function pointOf(frame, u, v) {
  const cos = Math.cos(frame.turn);
  const sin = Math.sin(frame.turn);
  const x = (u - 0.5) * frame.side;
  const y = (v - 0.5) * frame.side;
  return [frame.x + x * cos - y * sin, frame.y + x * sin + y * cos];
}

export function cornersOf(frame) {
  return [[0, 0], [1, 0], [1, 1], [0, 1]].map(([u, v]) => pointOf(frame, u, v));
}
