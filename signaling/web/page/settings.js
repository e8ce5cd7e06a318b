// @ts-check
/** The settings of a call: devices, how you talk, what is done to your voice. */
import { byId } from "./dom.js";
import { fillMenu } from "./devices.js";
import { recall, remember } from "./memory.js";
import { Meter } from "./meter.js";
import { problemInWords } from "./words.js";

const PROCESSING = ["noiseSuppression", "echoCancellation", "autoGainControl"];

/** The constraints that were chosen on an earlier visit. */
export function rememberedAudio() {
  /** @type {MediaTrackConstraints} */
  const audio = Object.fromEntries(PROCESSING.map((name) => [name, recall(name, "on") === "on"]));
  if (recall("input")) audio.deviceId = { ideal: recall("input") };
  return audio;
}

export class Settings {
  /** @type {import("../parley.js").Client | null} */ #client = null;

  /** @param {(push: boolean) => void} onTalk */
  constructor(onTalk) {
    this.dialog = byId("settings");
    this.input = byId("settings-input");
    this.output = byId("settings-output");
    this.meter = new Meter(byId("settings-meter"));
    byId("settings-open").addEventListener("click", () => this.#open());
    this.input.addEventListener("change", () => this.#try(() => this.#client?.setInputDevice(this.input.value), "input", this.input.value));
    this.output.addEventListener("change", () => this.#try(() => this.#client?.setOutputDevice(this.output.value), "output", this.output.value));
    for (const name of PROCESSING) {
      const box = this.#named(name)[0];
      box.checked = recall(name, "on") === "on";
      box.addEventListener("change", () => this.#try(() => this.#client?.setAudio({ [name]: box.checked }), name, box.checked ? "on" : "off"));
    }
    for (const radio of this.#named("talk")) {
      radio.addEventListener("change", () => onTalk(radio.value === "push" && radio.checked));
    }
    navigator.mediaDevices?.addEventListener("devicechange", () => this.dialog.open && this.#fill());
  }

  /** @param {import("../parley.js").Client} client */
  start(client) {
    this.#client = client;
    client.addEventListener("level", (/** @type {any} */ { detail }) => this.dialog.open && this.meter.show(detail.level));
  }

  stop() {
    this.#client = null;
    if (this.dialog.open) this.dialog.close();
  }

  /** @param {boolean} push */
  showTalk(push) {
    for (const radio of this.#named("talk")) radio.checked = (radio.value === "push") === push;
  }

  /** @param {string} name @returns {HTMLInputElement[]} */
  #named(name) {
    return [...this.dialog.querySelectorAll(`input[name=${name}]`)];
  }

  #open() {
    byId("settings-problem").textContent = "";
    this.#fill();
    this.dialog.showModal();
  }

  async #fill() {
    const current = this.#client?.microphone.track?.getSettings().deviceId ?? recall("input");
    await Promise.all([fillMenu(this.input, "inputs", current), fillMenu(this.output, "outputs", recall("output"))]);
    byId("settings-output-field").hidden = !("setSinkId" in HTMLMediaElement.prototype || "setSinkId" in AudioContext.prototype);
  }

  /** @param {() => Promise<unknown> | undefined} action @param {string} key @param {string} value */
  async #try(action, key, value) {
    try {
      await action();
      remember(key, value);
      byId("settings-problem").textContent = "";
    } catch (/** @type {any} */ error) {
      byId("settings-problem").textContent = problemInWords(error);
    }
  }
}
