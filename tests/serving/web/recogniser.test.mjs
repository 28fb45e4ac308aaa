// The recogniser with a detector and models that are made up.
import assert from "node:assert/strict";
import { test } from "node:test";

import { judged, MOST_FACES, Recogniser } from "../../../fer_tune/serving/web/page/lib/recogniser.js";
import { Rate } from "../../../fer_tune/serving/web/page/ui/rate.js";

const CLASSES = ["angry", "happy", "sad"];

function face(left, score = 1) {
  const landmarks = [[left + 8, 18], [left + 22, 18], [left + 15, 25], [left + 9, 32], [left + 21, 32]];
  return { box: [left, 10, left + 30, 40], score, landmarks };
}

function photograph(width = 200, height = 100) {
  return { data: new Uint8Array(width * height * 3).fill(90), width, height, channels: 3 };
}

class Detector {
  constructor(...answers) {
    this.answers = answers;
    this.searches = 0;
    this.followed = 0;
    this.lost = false;
  }
  async detect() {
    this.searches += 1;
    return this.answers.length > 1 ? this.answers.shift() : this.answers[0];
  }
  async follow(_, faces) {
    this.followed += 1;
    return this.lost ? null : faces;
  }
}

function model(row = [0.1, 0.7, 0.2], side = 24) {
  return {
    side,
    classes: CLASSES,
    preprocessing: { max_side: 256, channels: 1, resized_side: 28, crop_size: 24 },
    asked: [],
    async probabilities(inputs, count) {
      assert.equal(inputs.length, count * 24 * 24);
      this.asked.push(count);
      return Float32Array.from(Array(count).fill(row).flat());
    },
  };
}

test("faces are searched every half second and followed in between", async () => {
  const detector = new Detector([face(20)]);
  const recogniser = new Recogniser(detector, [model()], 0.5);
  for (let number = 0; number < 11; number++) await recogniser.frame(photograph(), number / 10);
  assert.deepEqual([detector.searches, detector.followed], [3, 8]);
});

test("a face that is lost is searched for at once", async () => {
  const detector = new Detector([face(20)], []);
  const recogniser = new Recogniser(detector, [model()], 0.5);
  assert.equal((await recogniser.frame(photograph(), 0)).faces.length, 1);
  detector.lost = true;
  assert.equal((await recogniser.frame(photograph(), 0.1)).faces.length, 0);
  assert.equal(detector.searches, 2);
});

test("without a face no model is asked, and every frame is searched", async () => {
  const detector = new Detector([]);
  const classifier = model();
  const recogniser = new Recogniser(detector, [classifier], 0.5);
  for (const time of [0, 0.1, 0.2]) await recogniser.frame(photograph(), time);
  assert.equal(detector.searches, 3);
  assert.deepEqual(classifier.asked, []);
});

test("of a crowd the largest faces are named", async () => {
  const crowd = [0, 35, 70, 105, 140, 170].map((left) => face(left));
  const recogniser = new Recogniser(new Detector(crowd), [model()], 0);
  assert.equal((await recogniser.frame(photograph(), 0)).faces.length, MOST_FACES);
});

test("every model has a row of its own for every face", async () => {
  const models = [model([0.8, 0.1, 0.1]), model([0, 0, 1], 32)];
  const recogniser = new Recogniser(new Detector([face(20), face(90)]), models, 0.5);
  const { faces } = await recogniser.frame(photograph(), 0);
  assert.deepEqual(faces.map(({ lane }) => lane), [1, 2]);
  for (const { rows } of faces) {
    assert.deepEqual(rows.map((row) => row.map((value) => +value.toFixed(3))), [[0.8, 0.1, 0.1], [0, 0, 1]]);
  }
});

test("a picture as small as the training pictures is a face; a larger one is searched", async () => {
  const detector = new Detector([]);
  const recogniser = new Recogniser(detector, [model()], 0.5);
  const [whole] = (await recogniser.picture(photograph(48, 40))).faces;
  assert.equal(whole.box, null);
  assert.equal(detector.searches, 0);
  assert.deepEqual((await recogniser.picture(photograph(60, 40))).faces, []);
});

test("a low probability is uncertain", () => {
  assert.deepEqual(judged([0.1, 0.49, 0.41], CLASSES, 0.5), {
    expression: "happy",
    probability: 0.49,
    uncertain: true,
  });
  assert.equal(judged([0.5, 0.1, 0.4], CLASSES, 0.5).uncertain, false);
});

test("the rate is that of the last two seconds", () => {
  const rate = new Rate();
  assert.equal(rate.perSecond, 0);
  for (let time = 0; time <= 1000; time += 500) rate.add(time);
  assert.equal(rate.perSecond, 2);
  for (let time = 1100; time <= 5000; time += 100) rate.add(time);
  assert.ok(Math.abs(rate.perSecond - 10) < 1e-9);
});
