// A picture or a frame to faces with the probabilities of every model.

import { cutOut } from "./crop.js";
import { fills, isSmall } from "./faces.js";
import { VIDEO } from "./mtcnn.js";
import { inputOf } from "./pictures.js";
import { frameOf } from "./registration.js";
import { Tracker } from "./tracking.js";

/** Faces of a frame that are named, the largest first. */
export const MOST_FACES = 4;

/** Seconds after which a whole frame is searched again; in between known faces are followed. */
const SEARCH_EVERY_S = 0.5;

export class Recogniser {
  /**
   * @param detector with `detect(picture, settings)`.
   * @param models each {side, classes, preprocessing, probabilities(inputs, count)}: the
   *   classifier's rows for so many inputs, one after the other.
   */
  constructor(detector, models, smoothing) {
    this.detector = detector;
    this.models = models;
    this.smooth(smoothing);
  }

  /** Begins to follow faces anew, with another time constant in seconds; 0 for none. */
  smooth(smoothing) {
    this.smoothing = smoothing;
    this.tracker = new Tracker(smoothing);
    this.known = { faces: [], searched: -Infinity };
  }

  /** The faces of a frame at a time in seconds, followed from the frames before. */
  async frame(picture, time) {
    const began = performance.now();
    const found = await this.located(picture, time);
    const detected = performance.now();
    const rows = await this.rows(found.map((face) => ({ picture, face })));
    const tracked = this.tracker.update(
      time,
      found.map((face) => face.box),
      rows.map((row) => row.flat()),
    );
    const faces = found.map((face, place) => ({
      box: face.box,
      lane: tracked[place].lane,
      rows: this.split(tracked[place].row),
    }));
    const ended = performance.now();
    return { faces, detecting: detected - began, recognising: ended - detected };
  }

  async located(picture, time) {
    const { faces, searched } = this.known;
    const isDue = faces.length === 0 || !(time - searched < SEARCH_EVERY_S);
    const followed = isDue ? null : await this.detector.follow(picture, faces);
    if (followed !== null) {
      this.known = { faces: followed, searched };
      return followed;
    }
    const found = (await this.detector.detect(picture, VIDEO)).slice(0, MOST_FACES);
    this.known = { faces: found, searched: time };
    return found;
  }

  /** The faces of a picture, by the rule of `fer-tune predict`; box null: taken as a whole. */
  async picture(picture) {
    const began = performance.now();
    const sides = this.models.map((model) => model.side);
    const small = sides.every((side) => isSmall(picture, side));
    const found = small ? [] : await this.detector.detect(picture);
    const whole = small || fills(picture, found);
    const detected = performance.now();
    const seen = whole ? [{ picture, face: null }] : found.map((face) => ({ picture, face }));
    const rows = await this.rows(seen);
    const faces = seen.map(({ face }, place) => ({
      box: face === null ? null : face.box,
      lane: place + 1,
      rows: rows[place],
    }));
    const ended = performance.now();
    return { faces, detecting: detected - began, recognising: ended - detected };
  }

  /** Of each face, the probabilities of each model. */
  async rows(seen) {
    const found = seen.map(() => []);
    if (seen.length === 0) return found;
    const crops = new Map();
    for (const model of this.models) {
      if (!crops.has(model.side)) {
        crops.set(
          model.side,
          seen.map(({ picture, face }) =>
            face === null ? picture : cutOut(picture, frameOf(face), model.side),
          ),
        );
      }
      const size = model.preprocessing.crop_size ** 2 * model.preprocessing.channels;
      const inputs = new Uint8Array(seen.length * size);
      crops.get(model.side).forEach((crop, place) => {
        inputs.set(inputOf(crop, model.preprocessing), place * size);
      });
      const values = await model.probabilities(inputs, seen.length);
      const classes = model.classes.length;
      seen.forEach((_, place) => {
        found[place].push(Array.from(values.slice(place * classes, (place + 1) * classes)));
      });
    }
    return found;
  }

  /** A face's one row cut into those of the models. */
  split(row) {
    let from = 0;
    return this.models.map(({ classes }) => row.slice(from, (from += classes.length)));
  }
}

/** What a row says: its best class, the probability, and whether that is too low to name one. */
export function judged(row, classes, threshold) {
  const best = row.indexOf(Math.max(...row));
  return { expression: classes[best], probability: row[best], uncertain: row[best] < threshold };
}
