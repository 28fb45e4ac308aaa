// Frames per second over the last two seconds.

const SPAN_MS = 2000;

export class Rate {
  constructor() {
    this.clear();
  }

  clear() {
    this.times = [];
  }

  /** Counts a frame at a time in milliseconds. */
  add(time) {
    this.times.push(time);
    while (this.times[0] < time - SPAN_MS) this.times.shift();
  }

  get perSecond() {
    if (this.times.length < 2) return 0;
    return ((this.times.length - 1) * 1000) / (this.times[this.times.length - 1] - this.times[0]);
  }
}
