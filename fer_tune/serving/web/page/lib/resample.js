// Pictures in other sizes: as Pillow resizes 8-bit pictures, and as PyTorch resizes floats.
//
// A picture is {data, width, height, channels}, its rows from the top, channels last: Uint8Array
// for Pillow's rules, Float64Array for PyTorch's.

const lanczos = (x) => (x > -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0);
const sinc = (x) => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));

/** Filters by name: half width in pixels of the result, and weight at a distance. */
export const FILTERS = {
  box: { support: 0.5, at: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
  lanczos: { support: 3, at: lanczos },
};

/** Pillow's fixed point: 32 bits less 8 of the pixel and 2 for sums beyond it. */
const BITS = 22;

/** For every pixel of the result: the first pixel that it needs, and their weights. */
export function weights(size, wanted, filter) {
  const scale = size / wanted;
  const stretch = Math.max(scale, 1);
  const support = filter.support * stretch;
  return Array.from({ length: wanted }, (_, place) => {
    const centre = (place + 0.5) * scale;
    const low = Math.max(0, Math.trunc(centre - support + 0.5));
    const high = Math.min(size, Math.trunc(centre + support + 0.5));
    const found = new Float64Array(high - low);
    let sum = 0;
    for (let at = low; at < high; at++) {
      found[at - low] = filter.at((at - centre + 0.5) / stretch);
      sum += found[at - low];
    }
    if (sum !== 0) for (let at = 0; at < found.length; at++) found[at] /= sum;
    return { low, weights: found };
  });
}

/** A picture of 8-bit pixels as Pillow resizes it with the filter of that name. */
export function resized8(picture, width, height, name) {
  let found = picture;
  if (width !== picture.width) found = columns8(found, fixed(found.width, width, FILTERS[name]));
  if (height !== picture.height) found = rows8(found, fixed(found.height, height, FILTERS[name]));
  return found;
}

function fixed(size, wanted, filter) {
  return weights(size, wanted, filter).map(({ low, weights: exact }) => ({
    low,
    weights: Int32Array.from(exact, (w) => Math.trunc(w * (1 << BITS) + (w < 0 ? -0.5 : 0.5))),
  }));
}

function columns8({ data, width, height, channels }, taps) {
  const found = new Uint8Array(taps.length * height * channels);
  for (let x = 0; x < taps.length; x++) {
    const { low, weights: own } = taps[x];
    for (let y = 0; y < height; y++) {
      const from = (y * width + low) * channels;
      const to = (y * taps.length + x) * channels;
      for (let c = 0; c < channels; c++) {
        let sum = 1 << (BITS - 1);
        for (let k = 0; k < own.length; k++) sum += data[from + k * channels + c] * own[k];
        found[to + c] = clipped(sum >> BITS);
      }
    }
  }
  return { data: found, width: taps.length, height, channels };
}

function rows8({ data, width, channels }, taps) {
  const row = width * channels;
  const found = new Uint8Array(taps.length * row);
  for (let y = 0; y < taps.length; y++) {
    const { low, weights: own } = taps[y];
    for (let at = 0; at < row; at++) {
      let sum = 1 << (BITS - 1);
      for (let k = 0; k < own.length; k++) sum += data[(low + k) * row + at] * own[k];
      found[y * row + at] = clipped(sum >> BITS);
    }
  }
  return { data: found, width, height: taps.length, channels };
}

function clipped(value) {
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

/** A picture of floats as PyTorch resizes it: bilinear, antialiased. */
export function resizedFloat({ data, width, height, channels }, wantedWidth, wantedHeight) {
  const across = weights(width, wantedWidth, FILTERS.bilinear);
  const narrow = new Float64Array(wantedWidth * height * channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < wantedWidth; x++) {
      const { low, weights: own } = across[x];
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let k = 0; k < own.length; k++) {
          sum += data[(y * width + low + k) * channels + c] * own[k];
        }
        narrow[(y * wantedWidth + x) * channels + c] = sum;
      }
    }
  }
  const down = weights(height, wantedHeight, FILTERS.bilinear);
  const row = wantedWidth * channels;
  const found = new Float64Array(wantedHeight * row);
  for (let y = 0; y < wantedHeight; y++) {
    const { low, weights: own } = down[y];
    for (let k = 0; k < own.length; k++) {
      const from = (low + k) * row;
      for (let at = 0; at < row; at++) found[y * row + at] += narrow[from + at] * own[k];
    }
  }
  return { data: found, width: wantedWidth, height: wantedHeight, channels };
}
