// A frame of a video or a picture, and its pixels.

import { fromRgba } from "./pictures.js";

let canvas = null;

/** The frame that a video shows, for another thread, which closes it. */
export async function currentFrame(video) {
  return "VideoFrame" in globalThis ? new VideoFrame(video) : createImageBitmap(video);
}

/** The pixels of a VideoFrame or an ImageBitmap, over white; closes it. */
export async function pixelsOf(source) {
  try {
    if (isPlain(source)) return await copied(source);
    return drawn(source, source.displayWidth || source.width, source.displayHeight || source.height);
  } finally {
    source.close();
  }
}

/**
 * Whether a VideoFrame's own pixels are what is to be seen, and this browser gives them as RGBA.
 *
 * A canvas would do, too, but Chromium keeps the last hundred frames that were drawn on one which
 * is read: 400 MiB.
 */
function isPlain(source) {
  if (!source.copyTo || source.rotation || source.flip) return false;
  const { displayWidth: width, displayHeight: height, visibleRect: seen } = source;
  // A browser that does not convert ignores the format.
  return (
    seen.width === width &&
    seen.height === height &&
    source.allocationSize({ format: "RGBA" }) === width * height * 4
  );
}

async function copied(frame) {
  const { displayWidth: width, displayHeight: height } = frame;
  const data = new Uint8Array(width * height * 4);
  await frame.copyTo(data, { format: "RGBA" });
  return fromRgba(data, width, height);
}

function drawn(source, width, height) {
  if (canvas === null) canvas = new OffscreenCanvas(width, height);
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(source, 0, 0);
  return fromRgba(context.getImageData(0, 0, width, height).data, width, height);
}
