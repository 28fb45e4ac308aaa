import { Tracker } from "../../../fer_tune/serving/web/page/lib/tracking.js";

/** What a tracker says of frames [time, boxes, rows], one after the other. */
export function tracked(frames) {
  const tracker = new Tracker(0.5);
  return frames.map(([time, boxes, rows]) => tracker.update(time, boxes, rows));
}
