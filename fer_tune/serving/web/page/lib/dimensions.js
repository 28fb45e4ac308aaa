// Width and height that an encoded picture declares, read before anything is decoded: a small file
// may declare more pixels than fit into memory.

const text = (bytes, at, length) => String.fromCharCode(...bytes.subarray(at, at + length));

/** {width, height} of a PNG, JPEG, WebP, GIF or BMP; null for other content. */
export function dimensions(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    if (text(bytes, 1, 3) === "PNG") {
      return { width: view.getUint32(16), height: view.getUint32(20) };
    }
    if (text(bytes, 0, 3) === "GIF") return gif(view);
    if (text(bytes, 0, 2) === "BM") {
      return { width: Math.abs(view.getInt32(18, true)), height: Math.abs(view.getInt32(22, true)) };
    }
    if (text(bytes, 0, 4) === "RIFF" && text(bytes, 8, 4) === "WEBP") return webp(bytes, view);
    if (view.getUint16(0) === 0xffd8) return jpeg(view);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // the file ends too early
  }
  return null;
}

function gif(view) {
  return { width: view.getUint16(6, true), height: view.getUint16(8, true) };
}

function webp(bytes, view) {
  const kind = text(bytes, 12, 4);
  if (kind === "VP8X") {
    const [width, height] = [24, 27].map((at) => 1 + (view.getUint32(at, true) & 0xffffff));
    return { width, height };
  }
  if (kind === "VP8L") {
    const bits = view.getUint32(21, true);
    return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >>> 14) & 0x3fff) };
  }
  const [width, height] = [26, 28].map((at) => view.getUint16(at, true) & 0x3fff);
  return { width, height };
}

/** From the first frame header; the segments before it are skipped. */
function jpeg(view) {
  for (let at = 2; ; ) {
    const marker = view.getUint16(at);
    if (marker === 0xffff) {
      at += 1; // fill bytes
      continue;
    }
    if (marker >> 8 !== 0xff) return null;
    const kind = marker & 0xff;
    const isFrame = kind >= 0xc0 && kind <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(kind);
    if (isFrame) return { height: view.getUint16(at + 5), width: view.getUint16(at + 7) };
    at += 2 + view.getUint16(at + 2);
  }
}
