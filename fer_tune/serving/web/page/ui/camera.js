// The user's cameras, and what to say where there is none.

const MESSAGES = {
  NotAllowedError:
    "Permission for the camera was denied. Allow it in the browser's address bar, then start the camera again.",
  NotFoundError: "No camera was found. Connect one, or open a picture.",
  NotReadableError: "The camera is in use by another program, or cannot be read.",
  OverconstrainedError: "This camera is not available any more. Choose another one.",
};

/** Why there can be no camera here at all; null if there can. */
export function obstacle() {
  if (!window.isSecureContext) {
    return "Browsers give cameras only to pages at https and at localhost. Pictures can be opened.";
  }
  if (!navigator.mediaDevices || !navigator.mediaDevices.getUserMedia) {
    return "This browser gives no access to cameras. Pictures can be opened.";
  }
  return null;
}

export function messageOf(error) {
  return MESSAGES[error.name] || `The camera cannot be started: ${error.message || error.name}.`;
}

export class Camera {
  constructor(video) {
    this.video = video;
    this.stream = null;
  }

  get isOn() {
    return this.stream !== null;
  }

  /**
   * Starts a camera; throws what the browser throws. False, with the camera off, if `isWanted` says
   * so when the user has answered: something else may have been opened meanwhile.
   */
  async start(device, ended, isWanted) {
    this.stop();
    try {
      const stream = await this.asked(device);
      if (!isWanted()) {
        for (const track of stream.getTracks()) track.stop();
        return false;
      }
      this.stream = stream;
      for (const track of stream.getTracks()) track.addEventListener("ended", ended);
      this.video.srcObject = stream;
      await this.video.play();
    } catch (error) {
      if (isWanted()) throw error;
      return false;
    }
    return isWanted() && this.isOn;
  }

  asked(device) {
    const wanted = { width: { ideal: 640 }, height: { ideal: 480 } };
    const video = device ? { ...wanted, deviceId: { exact: device } } : { ...wanted, facingMode: "user" };
    return navigator.mediaDevices.getUserMedia({ video, audio: false });
  }

  stop() {
    if (this.stream === null) return;
    for (const track of this.stream.getTracks()) track.stop();
    this.stream = null;
    this.video.srcObject = null;
  }

  /** The cameras that can be chosen, once permission was given: {id, label}. */
  async list() {
    const devices = await navigator.mediaDevices.enumerateDevices();
    return devices
      .filter((device) => device.kind === "videoinput" && device.deviceId)
      .map((device, place) => ({ id: device.deviceId, label: device.label || `Camera ${place + 1}` }));
  }

  get current() {
    return this.stream === null ? "" : this.stream.getVideoTracks()[0].getSettings().deviceId || "";
  }
}
