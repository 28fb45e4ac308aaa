// Faces followed from frame to frame, with smoothed probabilities. As video/tracking.py.

import { iou } from "./boxes.js";

const LEAST_IOU = 0.3;
const PATIENCE_S = 1;

export class Tracker {
  /** @param smoothing time constant in seconds; 0 for none. */
  constructor(smoothing = 0.5) {
    this.smoothing = smoothing;
    this.lanes = [];
    this.count = 0;
    this.last = null;
  }

  /**
   * Takes in the faces of one frame, and gives the lane and the smoothed row of each.
   *
   * @param time of the frame in seconds.
   * @param rows the probabilities of each face.
   */
  update(time, boxes, rows) {
    this.lanes = this.lanes.filter(
      (lane) => lane.time === this.last || time - lane.time <= PATIENCE_S,
    );
    const known = this.pairs(boxes);
    this.last = time;
    return boxes.map((box, place) => {
      let lane = known.get(place);
      let row = rows[place];
      if (lane === undefined) {
        lane = { number: ++this.count };
        this.lanes.push(lane);
      } else {
        row = this.smoothed(lane, time, row);
      }
      Object.assign(lane, { time, box, row });
      return { lane: lane.number, row };
    });
  }

  /** The lane of each face that continues one: pairs by overlap, the best first. */
  pairs(boxes) {
    const candidates = boxes
      .flatMap((box, face) => this.lanes.map((lane) => ({ face, lane, overlap: iou(box, lane.box) })))
      .filter(({ overlap }) => overlap >= LEAST_IOU)
      .sort((a, b) => b.overlap - a.overlap);
    const found = new Map();
    const used = new Set();
    for (const { face, lane } of candidates) {
      if (found.has(face) || used.has(lane)) continue;
      found.set(face, lane);
      used.add(lane);
    }
    return found;
  }

  smoothed(lane, time, row) {
    if (this.smoothing === 0) return row;
    const weight = 1 - Math.exp(-Math.max(time - lane.time, 0) / this.smoothing);
    return row.map((value, place) => lane.row[place] + weight * (value - lane.row[place]));
  }
}
