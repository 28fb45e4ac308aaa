// The page: controls, the camera's frames to the worker, and what it finds back onto the page.

import { currentFrame } from "./lib/frames.js";
import { Camera, messageOf, obstacle } from "./ui/camera.js";
import { showCards } from "./ui/card.js";
import { Models } from "./ui/models.js";
import { opened } from "./ui/opening.js";
import { labelled, Overlay } from "./ui/overlay.js";
import { Rate } from "./ui/rate.js";

const at = (id) => document.getElementById(id);
const [stage, video, picture, hint, status] = ["stage", "video", "picture", "hint", "status"].map(at);
const ANNOUNCE_MS = 2000;

const camera = new Camera(video);
const overlay = new Overlay(at("overlay"));
const rate = new Rate();
// check.js has said why the page cannot be used.
const isUsable = document.documentElement.className !== "unusable";
const worker = isUsable ? new Worker(new URL("./worker.js", import.meta.url), { type: "module" }) : null;

let settings = null;
let models = null;
/** What was sent to the worker last, and is shown: a number, to know late answers. */
let current = 0;
/** Counts what the user asked for: whatever was waited for is dropped if something else was. */
let asked = 0;
let sentAt = 0;
let shown = null;
let announced = { text: "", time: -Infinity };

function say(text, isProblem = false) {
  status.textContent = text;
  status.className = isProblem ? "problem" : "";
}

/** Has a text read aloud: what changes with every frame not more often than every two seconds. */
function announce(text, isFrame) {
  const now = performance.now();
  if (isFrame && (text === announced.text || now - announced.time < ANNOUNCE_MS)) return;
  announced = { text, time: now };
  const region = at("announcement");
  if (region.textContent !== text) {
    region.textContent = text;
  } else {
    // The same text is read again only if the region was empty in between.
    region.textContent = "";
    setTimeout(() => (region.textContent = announced.text), 100);
  }
}

// -- the worker ----------------------------------------------------------------------------------

function listen() {
  worker.onmessage = ({ data: message }) => {
    if (message.kind === "loading") loading(message);
    else if (message.kind === "ready") ready(message);
    else if (message.kind === "found") found(message);
    else if (message.id === undefined) failed(message);
    else notAnalysed(message);
  };
  worker.onerror = (event) => {
    failed({ reason: event.message || "a part of the page cannot be loaded" });
    event.preventDefault();
  };
}

/** The amount is beside the status, which screen readers read at every change. */
function loading({ loaded, total }) {
  const mib = (bytes) => Math.round(bytes / 2 ** 20);
  showLoading(true);
  at("loading").value = loaded / total;
  at("loaded").textContent = `${mib(loaded)} of ${mib(total)} MiB`;
  const text = loaded < total ? "Loading the models…" : "Preparing the models…";
  if (status.textContent !== text) say(text);
}

function showLoading(isOn) {
  at("loading").hidden = !isOn;
  at("loaded").hidden = !isOn;
}

function ready({ threads }) {
  showLoading(false);
  at("open").disabled = false;
  const why = obstacle();
  at("camera").disabled = why !== null;
  say(why || "Ready.", why !== null);
  document.body.dataset.threads = String(threads);
  document.body.dataset.state = "ready";
}

const sentence = (reason) => `${reason.replace(/\.$/, "")}.`;

function failed({ reason }) {
  showLoading(false);
  asked += 1;
  stopCamera();
  say(`The page cannot continue: ${sentence(reason)}`, true);
  document.body.dataset.state = "failed";
  for (const id of ["camera", "cameras", "open"]) at(id).disabled = true;
}

/** One picture or frame; the page continues with the next. */
function notAnalysed({ id, reason }) {
  if (id !== current) return;
  if (shown.isFrame) stopCamera();
  else models.clear("No result", "");
  say(`This picture cannot be analysed: ${sentence(reason)}`, true);
}

function found({ id, faces, detecting, recognising }) {
  if (id !== current) return;
  const took = performance.now() - sentAt;
  const { width, height, isFrame } = shown;
  const placed = faces.filter((face) => face.box !== null);
  const mirrored = isFrame && at("mirror").checked;
  overlay.draw(labelled(placed, settings.models, settings.threshold), width, height, mirrored);
  shown.faces = faces;
  if (faces.length === 0) {
    models.clear("No face", isFrame ? "Look at the camera" : "in this picture");
    announce("No face", isFrame);
  } else {
    const detail = faces.length > 1 ? `, the largest of ${faces.length} faces` : "";
    announce(models.show(faces[0].rows, detail), isFrame);
  }
  document.body.dataset.faces = JSON.stringify(placed.map((face) => face.box));
  document.body.dataset.result = String(id);
  const parts = `${Math.round(took)} ms (face ${Math.round(detecting)}, expression ${Math.round(recognising)})`;
  if (isFrame) {
    rate.add(performance.now());
    at("speed").textContent = `${rate.perSecond.toFixed(1)} frames per second, ${parts} each`;
    document.body.dataset.fps = rate.perSecond.toFixed(2);
    nextFrame();
  } else {
    at("speed").textContent = parts;
  }
}

// -- the camera ----------------------------------------------------------------------------------

async function startCamera(device) {
  const own = (asked += 1);
  const ended = () => {
    stopCamera();
    say("The camera was disconnected.", true);
  };
  at("camera").disabled = true;
  say("Starting the camera…");
  try {
    if (!(await camera.start(device, ended, () => own === asked))) return;
  } catch (error) {
    stopCamera();
    say(messageOf(error), true);
    return;
  } finally {
    at("camera").disabled = document.body.dataset.state === "failed";
  }
  at("camera").textContent = "Stop camera";
  show(video);
  say("The camera is on. Nothing of it leaves this device.");
  worker.postMessage({ kind: "smoothing", seconds: smoothing() });
  rate.clear();
  nextFrame();
  await listCameras();
}

function stopCamera() {
  if (camera.isOn) current += 1;
  camera.stop();
  at("camera").textContent = "Start camera";
  if (!video.hidden) show(null);
}

async function listCameras() {
  const cameras = await camera.list();
  const options = cameras.map(({ id, label }) => new Option(label, id, false, id === camera.current));
  if (options.length === 0) return;
  at("cameras").replaceChildren(...options);
  at("cameras").disabled = options.length < 2;
}

/** Sends the newest frame; the next one follows when its faces were found. */
function nextFrame() {
  const send = async () => {
    if (!camera.isOn) return;
    const own = (current += 1);
    await sendFrame(own).catch((error) => notAnalysed({ id: own, reason: error.message }));
  };
  if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(send);
  else requestAnimationFrame(send);
}

async function sendFrame(own) {
  const { videoWidth: width, videoHeight: height } = video;
  shown = { width, height, isFrame: true };
  if (width === 0) return nextFrame();
  const source = await currentFrame(video);
  if (own !== current) return source.close();
  sentAt = performance.now();
  worker.postMessage({ kind: "frame", id: own, source, time: sentAt / 1000 }, [source]);
}

// -- pictures ------------------------------------------------------------------------------------

async function openPicture(file) {
  const own = (asked += 1);
  stopCamera();
  let bitmap = null;
  try {
    bitmap = await opened(file);
  } catch (error) {
    if (own === asked) say(error.message, true);
    return;
  }
  if (own !== asked) return bitmap.close();
  const { width, height } = bitmap;
  picture.width = width;
  picture.height = height;
  picture.getContext("2d").drawImage(bitmap, 0, 0);
  show(picture);
  say(`${file.name}, ${width} × ${height} pixels`);
  current += 1;
  shown = { width, height, isFrame: false };
  sentAt = performance.now();
  worker.postMessage({ kind: "picture", id: current, source: bitmap }, [bitmap]);
}

/** Shows the video, the picture or neither. */
function show(one) {
  video.hidden = one !== video;
  picture.hidden = one !== picture;
  hint.hidden = one !== null;
  stage.classList.toggle("empty", one === null);
  overlay.clear();
  announced = { text: "", time: -Infinity };
  at("speed").textContent = "\u00a0";
  if (models !== null) models.clear(one === null ? "Nothing to see yet" : "Looking…", "");
}

// -- controls ------------------------------------------------------------------------------------

const smoothing = () => (at("smooth").checked ? settings.smoothing : 0);
const mirror = () => video.classList.toggle("mirrored", at("mirror").checked);

at("camera").addEventListener("click", () => {
  if (!camera.isOn) return startCamera(at("cameras").value);
  asked += 1;
  stopCamera();
  return say("The camera is off.");
});
at("cameras").addEventListener("change", () => camera.isOn && startCamera(at("cameras").value));
at("open").addEventListener("click", () => at("file").click());
at("file").addEventListener("change", async () => {
  const [file] = at("file").files;
  if (file) await openPicture(file);
  at("file").value = ""; // the same file may be opened again
});
at("mirror").addEventListener("change", mirror);
at("smooth").addEventListener("change", () => {
  if (document.body.dataset.state !== "ready") return; // the camera's start sends it, too
  worker.postMessage({ kind: "smoothing", seconds: smoothing() });
});
at("about").addEventListener("click", () => at("card").showModal());
window.addEventListener("resize", () => {
  if (!shown || shown.isFrame || !shown.faces || picture.hidden) return;
  const placed = shown.faces.filter((face) => face.box !== null);
  const labels = labelled(placed, settings.models, settings.threshold);
  overlay.draw(labels, shown.width, shown.height, false);
});

async function begin() {
  if (!isUsable) return;
  listen();
  const response = await fetch("page.json");
  if (!response.ok) throw new Error(`page.json cannot be loaded (${response.status})`);
  settings = await response.json();
  models = new Models(at("models"), settings.models, settings.threshold);
  showCards(at("card-text"), settings.models, settings.threshold);
  mirror();
  worker.postMessage({ kind: "start", settings });
}

begin().catch((error) => failed({ reason: error.message }));
