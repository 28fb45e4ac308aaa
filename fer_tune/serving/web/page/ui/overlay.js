// Boxes and labels over the camera or the picture.

import { judged } from "../lib/recogniser.js";

/** Colours of a box whose expression is certain, and is not; both have dark edges. */
const CERTAIN = "#ffd43b";
const UNSURE = "#d7dde4";

export class Overlay {
  constructor(canvas) {
    this.canvas = canvas;
  }

  clear() {
    this.draw([], 1, 1, false);
  }

  /**
   * Draws boxes of a source of `width` x `height` pixels, which is fitted into the canvas.
   *
   * @param faces each {box, text, uncertain}.
   */
  draw(faces, width, height, mirrored) {
    const { canvas } = this;
    const density = window.devicePixelRatio || 1;
    const [w, h] = [canvas.clientWidth, canvas.clientHeight];
    canvas.width = Math.round(w * density);
    canvas.height = Math.round(h * density);
    const context = canvas.getContext("2d");
    context.scale(density, density);
    const scale = Math.min(w / width, h / height);
    const [left, top] = [(w - width * scale) / 2, (h - height * scale) / 2];
    this.boxes = faces.map(({ box, text, uncertain }) => {
      const [x0, x1] = mirrored ? [width - box[2], width - box[0]] : [box[0], box[2]];
      const [x, y] = [left + x0 * scale, top + box[1] * scale];
      const size = [(x1 - x0) * scale, (box[3] - box[1]) * scale];
      const colour = uncertain ? UNSURE : CERTAIN;
      frame(context, x, y, size, colour, uncertain);
      label(context, text, Math.max(x, 0), Math.max(y, 0), colour, w);
      return [x, y, x + size[0], y + size[1]];
    });
  }
}

function frame(context, x, y, [width, height], colour, dashed) {
  context.setLineDash([]);
  context.lineWidth = 5;
  context.strokeStyle = "rgb(0 0 0 / 65%)";
  context.strokeRect(x, y, width, height);
  context.setLineDash(dashed ? [8, 6] : []);
  context.lineWidth = 2.5;
  context.strokeStyle = colour;
  context.strokeRect(x, y, width, height);
}

function label(context, text, x, y, colour, limit) {
  context.font = "600 15px system-ui, sans-serif";
  const width = context.measureText(text).width + 14;
  const from = Math.max(0, Math.min(x, limit - width));
  const above = y >= 26 ? y - 26 : y;
  context.fillStyle = "rgb(0 0 0 / 78%)";
  context.fillRect(from, above, width, 24);
  context.fillStyle = colour;
  context.textBaseline = "middle";
  context.fillText(text, from + 7, above + 12.5);
}

/** What is written at each face: the expression that the first model names. */
export function labelled(faces, models, threshold) {
  return faces.map(({ box, rows }) => {
    const { expression, probability, uncertain } = judged(rows[0], models[0].classes, threshold);
    const text = uncertain ? "uncertain" : `${expression} ${Math.round(probability * 100)} %`;
    return { box, text, uncertain };
  });
}
