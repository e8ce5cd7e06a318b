// @ts-check
/** The way in: a name, a room, a microphone that can be tried. */
import { Microphone } from "../parley.js";
import { fillMenu } from "./devices.js";
import { byId, setText } from "./dom.js";
import { givenIn, roomFrom } from "./invitation.js";
import { recall, remember } from "./memory.js";
import { Meter } from "./meter.js";
import { rememberedAudio } from "./settings.js";
import { problemInWords } from "./words.js";

const FIRST_ROOM = "lobby";
const METER_EVERY = 60;

/** What is missing is asked for, beside the field that it goes into. */
export const PASSWORD_PROBLEMS = new Set(["password_required", "password_wrong"]);

/** @typedef {{name: string, room: string, token: string, invite: string, password?: string}} Entry */

export class JoinView {
  #microphone = new Microphone(rememberedAudio());
  #meter = new Meter(byId("join-meter"));
  #timer = 0;
  #busy = false;
  #tokenNeeded = false;
  #invited = false;

  /** @param {(entry: Entry) => Promise<void>} onJoin refuses with a `ParleyError` */
  constructor(onJoin) {
    this.form = byId("join-form");
    this.onJoin = onJoin;
    this.form.name.value = recall("name");
    this.form.addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      this.#submit();
    });
    this.form.addEventListener("input", (/** @type {Event} */ event) => this.#mark(/** @type {HTMLInputElement} */ (event.target), ""));
    byId("microphone-open").addEventListener("click", () => this.#try());
    byId("join-input").addEventListener("change", () => this.#try({ deviceId: { exact: byId("join-input").value } }));
  }

  /** @param {{room: string, roomName: string, invited: boolean, tokenNeeded: boolean}} state who is invited chooses no room */
  show({ room, roomName, invited, tokenNeeded }) {
    document.title = "Parley";
    this.#tokenNeeded = tokenNeeded;
    this.#invited = invited;
    this.form.room.value = room || this.form.room.value || FIRST_ROOM;
    byId("room-field").hidden = invited;
    byId("invited").hidden = !invited;
    setText(byId("invited-room"), roomName || "a room");
    byId("token-field").hidden = !tokenNeeded;
    byId("join").hidden = false;
    this.#setBusy(false);
    this.tell("");
    this.#tryIfAllowed();
  }

  /** @param {string} problem */
  tell(problem) {
    setText(byId("join-problem"), problem);
  }

  hide() {
    byId("join").hidden = true;
    this.#stop();
  }

  async #submit() {
    if (this.#busy) return;
    const name = this.form.name.value.trim();
    const room = roomFrom(this.form.room.value);
    const { token, invite } = givenIn(this.form.token.value);
    this.form.room.value = room;
    const problems = /** @type {[HTMLInputElement, string][]} */ ([
      [this.form.name, name ? "" : "Enter the name that others see."],
      [this.form.room, room || this.#invited || invite ? "" : "Enter a room: letters, digits, - and _."],
      [this.form.token, this.#tokenNeeded && !token && !invite ? problemInWords({ code: "token_missing" }) : ""],
    ]);
    for (const [field, words] of problems) this.#mark(field, words);
    const wrong = problems.find(([, words]) => words);
    if (wrong) return wrong[0].focus();
    remember("name", name);
    setText(byId("join-problem"), "");
    this.#setBusy(true);
    this.#stop();
    try {
      await this.onJoin({ name, room, token, invite, password: this.form.password.value || undefined });
      this.form.token.value = this.form.password.value = "";
      byId("password-field").hidden = true;
    } catch (/** @type {any} */ error) {
      if (PASSWORD_PROBLEMS.has(error.code)) this.#askForPassword(error);
      else setText(byId("join-problem"), problemInWords(error));
      this.#tryIfAllowed();
    } finally {
      this.#setBusy(false);
    }
  }

  /** @param {{code: string}} error */
  #askForPassword(error) {
    byId("password-field").hidden = false;
    this.#mark(this.form.password, problemInWords(error));
    this.form.password.select();
    this.form.password.focus();
  }

  /** @param {boolean} busy */
  #setBusy(busy) {
    this.#busy = busy;
    byId("join-button").setAttribute("aria-disabled", String(busy));
    setText(byId("join-button-words"), busy ? "Joining…" : "Join the room");
  }

  /** @param {HTMLInputElement} field @param {string} words */
  #mark(field, words) {
    const problem = document.getElementById(`${field.id}-problem`);
    if (!problem) return;
    setText(problem, words);
    problem.hidden = !words;
    if (words) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
  }

  /** Where the microphone was allowed before, the meter runs at once; otherwise the person asks for it. */
  async #tryIfAllowed() {
    const permission = await navigator.permissions?.query({ name: /** @type {any} */ ("microphone") }).catch(() => null);
    if (permission?.state === "granted" && !byId("join").hidden && !this.#busy) await this.#try();
  }

  /** @param {MediaTrackConstraints} [changes] */
  async #try(changes) {
    const problem = byId("microphone-problem");
    setText(problem, "");
    try {
      const track = await this.#microphone.open(changes);
      if (byId("join").hidden || this.#busy) return this.#stop();
      const focused = document.activeElement === byId("microphone-open");
      byId("microphone-ask").hidden = true;
      byId("microphone-test").hidden = false;
      await fillMenu(byId("join-input"), "inputs", track.getSettings().deviceId ?? "");
      if (changes) remember("input", byId("join-input").value);
      if (focused) byId("join-input").focus();
      clearInterval(this.#timer);
      this.#timer = window.setInterval(() => this.#meter.show(this.#microphone.level), METER_EVERY);
    } catch (/** @type {any} */ error) {
      setText(problem, problemInWords(error));
    }
  }

  #stop() {
    clearInterval(this.#timer);
    this.#microphone.close();
    this.#meter.show(0);
    byId("microphone-ask").hidden = false;
    byId("microphone-test").hidden = true;
  }
}
