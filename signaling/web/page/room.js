// @ts-check
/** The room: it shows what the client knows, and hands the client what the person wants. */
import { announce } from "./announcer.js";
import { Chat } from "./chat.js";
import { byId, mark, setIcon, setText } from "./dom.js";
import { recall, remember } from "./memory.js";
import { shownLevel } from "./meter.js";
import { dismiss, dismissAll, notify } from "./notices.js";
import { People } from "./people.js";
import { PushToTalk } from "./push.js";
import { Settings } from "./settings.js";
import { BARRED, moderatedInWords, peopleInWords, problemInWords } from "./words.js";

/** @typedef {import("../parley.js").Client} Client */

const STATES = { connecting: "Connecting", connected: "Connected", reconnecting: "Reconnecting", disconnected: "Not connected" };
const ARRIVING_WITHIN = 4000;

export class RoomView {
  /** @type {Client | null} */ #client = null;
  /** @type {People | null} */ #people = null;
  #arrivingTimer = 0;
  /** @type {import("./words.js").Act | undefined} what a moderator did last */ #act;
  #barred = BARRED;
  #chat = new Chat();
  #settings = new Settings((push) => this.#setPush(push));
  #push = new PushToTalk(byId("mute"), (held) => this.#hold(held));

  /** @param {(reason: string, act?: import("./words.js").Act) => void} onEnd */
  constructor(onEnd) {
    this.onEnd = onEnd;
    byId("mute").addEventListener("click", () => this.#push.enabled || this.#toggleMute());
    byId("deafen").addEventListener("click", () => this.#toggleDeaf());
    byId("hold").addEventListener("click", () => this.#toggleHold());
    byId("talk-mode").addEventListener("click", () => this.#setPush(!this.#push.enabled));
    byId("leave").addEventListener("click", () => this.#client?.leave());
    // A mouse click leaves the focus behind; Space should then talk, not press the button again.
    byId("room-view").addEventListener("click", (/** @type {MouseEvent} */ event) => {
      const button = /** @type {HTMLElement} */ (event.target).closest(".dock button");
      if (event.detail > 0 && button === document.activeElement) /** @type {HTMLElement} */ (button)?.blur();
    });
  }

  /** @param {Client} client @param {any[]} problems from before there was a room to show them in */
  show(client, problems) {
    this.#client = client;
    [this.#act, this.#barred] = [undefined, BARRED];
    this.#people = new People(byId("people"), client, (error) => this.#showError(error));
    this.#chat.start(client);
    this.#settings.start(client);
    this.#listen(client);
    this.#showTitle(client);
    byId("room-view").hidden = false;
    this.#setPush(recall("talk") === "push");
    this.#showState(client.state);
    this.#showPeople();
    byId("room-title").focus();
    for (const problem of problems) this.#showError(problem);
  }

  hide() {
    this.#push.setEnabled(false);
    this.#people?.close();
    this.#chat.stop();
    this.#settings.stop();
    clearTimeout(this.#arrivingTimer);
    dismissAll();
    if (byId("invite").open) byId("invite").close();
    byId("room-view").hidden = true;
    this.#client = this.#people = null;
  }

  /** @param {Client} client */
  #listen(client) {
    const on = (/** @type {string} */ name, /** @type {(detail: any) => void} */ act) =>
      client.addEventListener(name, (/** @type {any} */ event) => client === this.#client && act(event.detail));
    on("joined", () => this.#showPeople());
    on("moved", () => {
      this.#showTitle(client);
      this.#showPeople();
    });
    on("participants", () => this.#showPeople());
    on("participant-joined", ({ participant }) => {
      announce(`${participant.name} joined.`);
      this.#showPeople();
    });
    on("participant-updated", () => this.#showPeople());
    on("speakers", ({ speakers }) => this.#people?.hear(speakers));
    on("level", ({ level }) => byId("mute").style.setProperty("--level", shownLevel(level).toFixed(2)));
    on("state", ({ state, reason }) => (state === "disconnected" ? this.onEnd(reason, this.#act) : this.#showState(state)));
    on("moderated", (act) => this.#tellModerated(act));
    on("media", ({ arriving }) => this.#showArriving(arriving));
    on("audio-blocked", ({ blocked }) => this.#showBlocked(blocked));
    on("error", (error) => this.#showError(error));
    this.#listenForLeaving(client);
  }

  /** The client has forgotten a person by the time it tells of their leaving; the cards have the name. @param {Client} client */
  #listenForLeaving(client) {
    const names = new Map();
    const learn = () => client.participants.forEach(({ id, name }) => names.set(id, name));
    learn();
    for (const name of ["joined", "participant-joined", "participant-updated"]) client.addEventListener(name, learn);
    client.addEventListener("participant-left", (/** @type {any} */ { detail }) => {
      if (client !== this.#client) return;
      announce(`${names.get(detail.participant) ?? "A participant"} ${detail.reason === "removed" ? "was removed" : "left"}.`);
      names.delete(detail.participant);
      this.#showPeople();
    });
  }

  #showPeople() {
    const count = this.#client?.participants.size ?? 0;
    this.#people?.show();
    setText(byId("room-count"), peopleInWords(count));
    byId("alone").hidden = count > 1;
    this.#showControls();
  }

  /** @param {keyof typeof STATES} state */
  #showState(state) {
    const chip = byId("connection");
    const before = chip.dataset.state;
    chip.dataset.state = state;
    setText(byId("connection-words"), STATES[state]);
    if (state === "connected") dismiss("media_unreachable");
    if (before !== state && (state === "reconnecting" || before === "reconnecting")) announce(`${STATES[state]}.`);
  }

  #showControls() {
    const client = this.#client;
    if (!client) return;
    const barred = client.me?.mute ?? false;
    const muted = client.muted || barred;
    const mute = byId("mute");
    mark(mute, "off", muted);
    setIcon(mute, barred ? "shield" : muted ? "mic-off" : "mic");
    setText(mute.querySelector("span"), client.muted ? "Unmute" : this.#push.enabled ? "Hold to talk" : "Mute");
    const deafen = byId("deafen");
    mark(deafen, "off", client.deafened);
    setIcon(deafen, client.deafened ? "headphones-off" : "headphones");
    setText(deafen.querySelector("span"), client.deafened ? "Undeafen" : "Deafen");
    const held = client.me?.held ?? false;
    byId("hold").setAttribute("aria-pressed", String(held));
    if (held) notify("held", "You are on hold: nobody hears you, and you hear nobody.", { label: "Back to the call", act: () => this.#toggleHold() });
    else dismiss("held");
    if (barred) notify("barred", this.#barred);
    else dismiss("barred");
  }

  async #toggleMute() {
    await this.#attempt(async (client) => {
      await client.setMicrophone(client.muted);
      announce(client.muted ? "You are muted." : "You can be heard.");
    });
  }

  async #toggleDeaf() {
    await this.#attempt(async (client) => {
      await (client.deafened ? client.undeafen() : client.deafen());
      announce(client.deafened ? "You hear nobody." : "You hear the others.");
    });
  }

  async #toggleHold() {
    await this.#attempt((client) => (client.me?.held ? client.unhold() : client.hold()));
  }

  /** @param {(client: Client) => Promise<void>} action */
  async #attempt(action) {
    const client = this.#client;
    if (!client) return;
    try {
      const done = action(client);
      this.#showControls();
      await done;
    } catch (error) {
      this.#showError(/** @type {any} */ (error));
    }
    this.#showControls();
  }

  /** @param {boolean} push */
  #setPush(push) {
    remember("talk", push ? "push" : "voice");
    this.#push.setEnabled(push);
    this.#settings.showTalk(push);
    byId("talk-mode").setAttribute("aria-pressed", String(push));
    this.#client?.setGate(!push);
    if (push && this.#client?.muted) this.#toggleMute();
    this.#showControls();
  }

  /** @param {Client} client */
  #showTitle(client) {
    document.title = `${client.room} · Parley`;
    setText(byId("room-title"), client.room);
  }

  /** @param {boolean} held */
  #hold(held) {
    mark(byId("mute"), "held", held);
    this.#client?.setGate(held || !this.#push.enabled);
  }

  /** @param {import("./words.js").Act} act */
  #tellModerated(act) {
    this.#act = act;
    const words = moderatedInWords(act);
    if (act.action === "mute") {
      this.#barred = words;
      dismiss("moderated");
      notify("barred", words);
    } else if (words) {
      notify("moderated", words);
    }
    if (act.action === "unmute") this.#barred = BARRED;
  }

  /** @param {boolean} arriving */
  #showArriving(arriving) {
    clearTimeout(this.#arrivingTimer);
    if (arriving) return dismiss("arriving");
    this.#arrivingTimer = window.setTimeout(() => {
      if (!this.#client?.microphone.track || this.#client.state !== "connected") return;
      notify("arriving", "The server receives no audio from you. Check the microphone in Settings.");
    }, ARRIVING_WITHIN);
  }

  /** @param {boolean} blocked */
  #showBlocked(blocked) {
    if (!blocked) return dismiss("blocked");
    notify("blocked", "Your browser blocks the sound until you allow it.", {
      label: "Play the sound",
      act: () => this.#client?.unlockAudio().catch((error) => this.#showError(error)),
    });
  }

  /** @param {{code: string, message: string}} error */
  #showError(error) {
    const again = error.code.startsWith("microphone_") && error.code !== "microphone_insecure";
    notify(error.code, problemInWords(error), again ? { label: "Try again", act: () => this.#attempt((client) => client.unmute()) } : undefined);
  }
}
