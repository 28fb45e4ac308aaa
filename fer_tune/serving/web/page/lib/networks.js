// Networks on onnxruntime-web, from the files that the page's settings name.

import { Mtcnn } from "./mtcnn.js";
import { Recogniser } from "./recogniser.js";

/**
 * The recogniser of a page.
 *
 * @param ort the module of onnxruntime-web.
 * @param settings the content of page.json.
 * @param read async (file) => Uint8Array, where a file is {path, bytes}.
 */
export async function open(ort, settings, read) {
  const session = async (file) =>
    ort.InferenceSession.create(await read(file), {
      executionProviders: ["wasm"],
      graphOptimizationLevel: "all",
      logSeverityLevel: 3, // its warnings are about optimisations that it leaves out
    });
  const detecting = {};
  for (const [name, file] of Object.entries(settings.detector)) {
    detecting[name] = network(ort, await session(file));
  }
  const models = [];
  for (const model of settings.models) models.push(classifier(ort, await session(model.file), model));
  return new Recogniser(new Mtcnn(detecting), models, settings.smoothing);
}

function network(ort, session) {
  const [input] = session.inputNames;
  return async (data, dims, outputs) =>
    session.run({ [input]: new ort.Tensor("float32", data, dims) }, outputs);
}

function classifier(ort, session, { side, classes, card }) {
  const { channels, crop_size: crop } = card.preprocessing;
  return {
    side,
    classes,
    preprocessing: card.preprocessing,
    probabilities: async (inputs, count) => {
      const pictures = new ort.Tensor("uint8", inputs, [count, channels, crop, crop]);
      const found = await session.run({ pictures }, ["probabilities"]);
      return found.probabilities.data;
    },
  };
}
