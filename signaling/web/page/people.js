// @ts-check
/** The people in the room, a card each: who they are, whether they speak, how loud they are for you. */
import { byId, mark, setIcon, setText } from "./dom.js";
import { hueOf, initialsOf } from "./faces.js";
import { shownLevel } from "./meter.js";

/** A voice pauses between words; its card does not flicker. */
const SPEAKING_FOR = 600;

/** @typedef {import("../parley.js").Participant} Participant */
/** @typedef {import("../parley.js").Client} Client */

/** One card. */
class Person {
  #speaking = false;
  #timer = 0;

  /** @param {Participant} participant @param {Client} client @param {(error: any) => void} onProblem */
  constructor(participant, client, onProblem) {
    this.client = client;
    this.onProblem = onProblem;
    this.participant = participant;
    this.element = /** @type {HTMLElement} */ (byId("person").content.firstElementChild.cloneNode(true));
    this.part = (/** @type {string} */ selector) => /** @type {any} */ (this.element.querySelector(selector));
    this.#setUpTuning();
    this.show(participant);
  }

  get you() {
    return this.participant.id === this.client.me?.id;
  }

  /** @param {Participant} participant */
  show(participant) {
    this.participant = participant;
    const name = participant.name || participant.identity;
    this.element.style.setProperty("--hue", String(hueOf(participant.identity)));
    setText(this.part(".initials"), initialsOf(name));
    setText(this.part(".name span"), this.you ? `${name} (you)` : name);
    this.part(".tune").setAttribute("aria-label", `Volume of ${name}`);
    setText(this.part(".tuning label span"), `Volume of ${name}`);
    setText(this.part("[data-action=mute]"), participant.mute ? "Unmute for all" : "Mute for all");
    const floor = this.part("[data-action=floor]");
    if (participant.suppressed) floor.hidden = false; // and so it stays: what was given can be taken back
    setText(floor, participant.suppressed ? "Give the floor" : "Take the floor");
    this.part(".tune").hidden = this.you;
    this.part(".moderation").hidden = this.client.me?.role === "member";
    this.#showStatus();
  }

  /** @param {number} level 0 is silence */
  hear(level) {
    if (level > 0) {
      clearTimeout(this.#timer);
      this.#timer = 0;
      this.#speaking = true;
      this.element.style.setProperty("--level", shownLevel(level).toFixed(2));
    } else if (this.#speaking && !this.#timer) {
      this.#timer = window.setTimeout(() => {
        this.#timer = 0;
        this.#speaking = false;
        this.#showStatus();
      }, SPEAKING_FOR);
    }
    this.#showStatus();
  }

  remove() {
    clearTimeout(this.#timer);
    this.element.remove();
  }

  #showStatus() {
    const { state, mute, deaf, suppressed, held, self_mute: muted, self_deaf: deafened } = this.participant;
    const speaking = this.#speaking && !mute && !muted && !suppressed && !held && state !== "reconnecting";
    const [icon, words] =
      state === "reconnecting" ? ["reconnect", "Reconnecting"]
      : held ? ["hold", "On hold"]
      : mute ? ["shield", "Muted by a moderator"]
      : speaking ? ["wave", "Speaking"]
      : deaf ? ["shield", "Deafened by a moderator"]
      : deafened ? ["headphones-off", "Not listening"]
      : muted ? ["mic-off", "Muted"]
      : suppressed ? ["mic-off", "Listening only"]
      : ["quiet", "Quiet"];
    mark(this.element, "speaking", speaking);
    mark(this.element, "barred", !speaking && (mute || deaf));
    mark(this.element, "away", state === "reconnecting");
    setIcon(this.part(".status"), icon);
    setText(this.part(".status span"), words);
  }

  #setUpTuning() {
    const button = this.part(".tune");
    const tuning = this.part(".tuning");
    const slider = this.part("input");
    const volume = Math.round(this.client.volume(this.participant.id) * 100);
    const tell = () => setText(this.part("output"), `${slider.value} %`);
    tuning.id = `tuning-${this.participant.id}`;
    button.setAttribute("aria-controls", tuning.id);
    slider.value = String(volume);
    tell();
    button.addEventListener("click", () => {
      tuning.hidden = !tuning.hidden;
      button.setAttribute("aria-expanded", String(!tuning.hidden));
      mark(this.element, "open", !tuning.hidden);
      if (!tuning.hidden) slider.focus();
    });
    slider.addEventListener("input", () => {
      tell();
      this.client.setVolume(this.participant.id, slider.valueAsNumber / 100);
    });
    for (const action of tuning.querySelectorAll("[data-action]")) {
      action.addEventListener("click", () => {
        const { id, mute, suppressed } = this.participant;
        const wanted = { mute: mute ? "unmute" : "mute", floor: suppressed ? "give_floor" : "take_floor", kick: "kick" };
        this.client.moderate(wanted[action.dataset.action], id).catch(this.onProblem);
      });
    }
  }
}

/** All cards, you first, then as people came. */
export class People {
  /** @type {Map<string, Person>} */ #cards = new Map();

  /** @param {HTMLElement} list @param {Client} client @param {(error: any) => void} onProblem */
  constructor(list, client, onProblem) {
    this.list = list;
    this.client = client;
    this.onProblem = onProblem;
    list.replaceChildren();
  }

  /** Makes the cards match `client.participants`. */
  show() {
    const { participants, me } = this.client;
    for (const [id, card] of this.#cards) {
      if (participants.has(id)) continue;
      card.remove();
      this.#cards.delete(id);
    }
    for (const participant of participants.values()) {
      const card = this.#cards.get(participant.id);
      if (card) card.show(participant);
      else this.#add(participant, participant.id === me?.id);
    }
  }

  /** @param {import("../parley.js").Speaker[]} speakers */
  hear(speakers) {
    const levels = new Map(speakers.map((speaker) => [speaker.participant, speaker.level]));
    for (const [id, card] of this.#cards) card.hear(levels.get(id) ?? 0);
  }

  close() {
    for (const card of this.#cards.values()) card.remove();
    this.#cards.clear();
  }

  /** @param {Participant} participant @param {boolean} first */
  #add(participant, first) {
    const card = new Person(participant, this.client, this.onProblem);
    this.#cards.set(participant.id, card);
    if (first) this.list.prepend(card.element);
    else this.list.append(card.element);
  }
}
