// MTCNN: faces by three networks, each stricter than the one before. As faces/mtcnn.py, which
// names the paper; the networks run on onnxruntime-web.

import { area, round, shifted, squared, suppressed } from "./boxes.js";
import { resized8 } from "./resample.js";

const CELL = 12;
const STRIDE = 2;
const R_SIDE = 24;
const O_SIDE = 48;
const ON_LEVEL = 0.5;
const ACROSS = 0.7;

/** How thoroughly MTCNN looks at a picture: as Python does. */
export const PICTURE = {
  smallest: 20,
  factor: 0.709,
  thresholds: [0.6, 0.7, 0.7],
  longest: 1920,
  proposals: 4096,
};
/** And at a frame of a video: at faces that are at least a tenth of its longer side. */
export const VIDEO = { ...PICTURE, smallest: 32, longest: 320, proposals: 256 };

export class Mtcnn {
  /**
   * @param networks {pnet, rnet, onet}: from (data, dims, names) to outputs by name, each with
   *   `data` and `dims`.
   */
  constructor(networks) {
    this.networks = networks;
  }

  /** Faces {box, score, landmarks} of an RGB picture, the largest first; often none. */
  async detect(picture, settings = PICTURE) {
    const image = reduced(picture, settings.longest);
    let found = await this.proposed(image, settings);
    found = await this.refined(image, found, settings);
    const faces = await this.confirmed(image, found.boxes, settings);
    const scale = [picture.width / image.width, picture.height / image.height];
    return largestFirst(faces.map((face) => scaled(face, scale)));
  }

  /**
   * The faces of the frame before, found again where they were by the last stage alone, which
   * takes a tenth of the time; null if one of them is not there any more.
   */
  async follow(picture, faces, settings = VIDEO) {
    const squares = faces.map((face) => squared(face.box).map(round));
    const found = await this.confirmed(picture, squares, settings);
    return found.length === faces.length ? largestFirst(found) : null;
  }

  /** Stage one, P-Net: squares of whole pixels. */
  async proposed(image, settings) {
    const found = { boxes: [], scores: [], offsets: [] };
    const least = Math.fround(settings.thresholds[0]);
    for (const [width, height] of pyramid(image, settings)) {
      const level = resized8(image, width, height, filterFor(width < image.width));
      const outputs = await this.run("pnet", [level], ["conv2d_4", "softmax"]);
      const scores = outputs.softmax.data;
      const moves = outputs.conv2d_4.data;
      const [, columns, rows] = outputs.softmax.dims;
      const cells = [];
      const certain = [];
      const places = [];
      for (let row = 0; row < rows; row++) {
        for (let column = 0; column < columns; column++) {
          const place = column * rows + row; // the networks see columns first
          if (scores[place * 2 + 1] < least) continue;
          const [x, y] = [column * STRIDE, row * STRIDE];
          cells.push([x, y, x + CELL, y + CELL]);
          certain.push(scores[place * 2 + 1]);
          places.push(place);
        }
      }
      const scale = [image.width / width, image.height / height];
      for (const kept of suppressed(cells, certain, ON_LEVEL)) {
        found.boxes.push(cells[kept].map((edge, place) => edge * scale[place % 2]));
        found.scores.push(certain[kept]);
        found.offsets.push(moves.slice(places[kept] * 4, places[kept] * 4 + 4));
      }
    }
    return calibrated(found, settings.proposals);
  }

  /** Stage two, R-Net: fewer squares, at better places. */
  async refined(image, { boxes }, settings) {
    if (boxes.length === 0) return { boxes: [], scores: [] };
    const pieces = boxes.map((box) => cut(image, box, R_SIDE));
    const outputs = await this.run("rnet", pieces, ["dense_2", "softmax_1"]);
    const passed = above(outputs.softmax_1.data, boxes.length, settings.thresholds[1]);
    return calibrated(
      {
        boxes: passed.map((place) => boxes[place]),
        scores: passed.map((place) => outputs.softmax_1.data[place * 2 + 1]),
        offsets: passed.map((place) => outputs.dense_2.data.slice(place * 4, place * 4 + 4)),
      },
      settings.proposals,
    );
  }

  /** Stage three, O-Net: faces with their landmarks. */
  async confirmed(image, boxes, settings) {
    if (boxes.length === 0) return [];
    const pieces = boxes.map((box) => cut(image, box, O_SIDE));
    const outputs = await this.run("onet", pieces, ["dense_5", "dense_6", "softmax_2"]);
    const passed = above(outputs.softmax_2.data, boxes.length, settings.thresholds[2]);
    const faces = passed.map((place) => {
      const square = boxes[place];
      // A square of whole pixels may be one pixel higher than it is wide.
      const [width, height] = [square[2] - square[0], square[3] - square[1]];
      const points = outputs.dense_6.data.slice(place * 10, place * 10 + 10);
      return {
        box: shifted(square, outputs.dense_5.data.slice(place * 4, place * 4 + 4)),
        score: outputs.softmax_2.data[place * 2 + 1],
        // Five x, then five y, as shares of the square.
        landmarks: [0, 1, 2, 3, 4].map((point) => [
          square[0] + points[point] * width,
          square[1] + points[point + 5] * height,
        ]),
      };
    });
    const kept = suppressed(
      faces.map((face) => face.box),
      faces.map((face) => face.score),
      ACROSS,
      "smaller",
    );
    return kept.map((place) => faces[place]);
  }

  run(name, pictures, outputs) {
    const { width, height } = pictures[0];
    return this.networks[name](turned(pictures), [pictures.length, width, height, 3], outputs);
  }
}

/** Sizes of the pyramid's levels, the largest first. */
export function pyramid({ width, height }, { smallest, factor }) {
  const levels = [];
  for (let scale = CELL / smallest; Math.min(width, height) * scale >= CELL; scale *= factor) {
    levels.push([round(width * scale), round(height * scale)]);
  }
  return levels;
}

/** After suppression: boxes moved by their offsets, and made squares of whole pixels. */
function calibrated({ boxes, scores, offsets }, most) {
  const kept = suppressed(boxes, scores, ACROSS)
    .slice(0, most)
    .map((place) => [squared(shifted(boxes[place], offsets[place])).map(round), scores[place]])
    .filter(([square]) => square[2] > square[0]);
  return { boxes: kept.map(([square]) => square), scores: kept.map(([, score]) => score) };
}

function above(scores, count, least) {
  const limit = Math.fround(least);
  return [...Array(count).keys()].filter((place) => scores[place * 2 + 1] > limit);
}

/** A square of the picture as `side` x `side`; what lies outside the picture is black. */
function cut({ data, width, height }, [left, top, right, bottom], side) {
  const [w, h] = [right - left, bottom - top];
  const piece = new Uint8Array(w * h * 3);
  const [from, to] = [Math.max(left, 0), Math.min(right, width)];
  for (let y = Math.max(top, 0); y < Math.min(bottom, height) && from < to; y++) {
    const row = data.subarray((y * width + from) * 3, (y * width + to) * 3);
    piece.set(row, ((y - top) * w + from - left) * 3);
  }
  return resized8({ data: piece, width: w, height: h, channels: 3 }, side, side, filterFor(side < w));
}

/** Pixels of pictures of one size in -1 .. 1, with the axes swapped, as the networks see them. */
function turned(pictures) {
  const { width, height } = pictures[0];
  const found = new Float32Array(pictures.length * width * height * 3);
  let to = 0;
  for (const { data } of pictures) {
    for (let x = 0; x < width; x++) {
      for (let y = 0; y < height; y++) {
        const from = (y * width + x) * 3;
        for (let c = 0; c < 3; c++) found[to++] = (data[from + c] - 127.5) / 128;
      }
    }
  }
  return found;
}

/** The mean over each pixel's area when shrinking, as the networks were trained with. */
function filterFor(shrinks) {
  return shrinks ? "box" : "bilinear";
}

function largestFirst(faces) {
  return faces.sort((a, b) => area(b.box) - area(a.box) || b.score - a.score);
}

function scaled({ box, score, landmarks }, scale) {
  return {
    box: box.map((edge, place) => edge * scale[place % 2]),
    score,
    landmarks: landmarks.map((point) => [point[0] * scale[0], point[1] * scale[1]]),
  };
}

function reduced(image, longest) {
  const longer = Math.max(image.width, image.height);
  if (longer <= longest) return image;
  const [width, height] = [image.width, image.height].map((side) =>
    Math.max(1, round((side * longest) / longer)),
  );
  return resized8(image, width, height, "box");
}
