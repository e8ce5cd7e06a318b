// @ts-check
/** The chat: messages of topic "chat", kept for as long as this page is in the call. */
import { byId, create, setText } from "./dom.js";
import { problemInWords } from "./words.js";

const TOPIC = "chat";
const KEPT = 500;

export class Chat {
  /** @type {import("../parley.js").Client | null} */ #client = null;
  #unread = 0;

  constructor() {
    this.panel = byId("chat");
    this.log = byId("chat-log");
    this.scroll = byId("chat-scroll");
    this.toggle = byId("chat-toggle");
    this.field = byId("chat-text");
    this.toggle.addEventListener("click", () => this.#setOpen(this.panel.hidden));
    byId("chat-close").addEventListener("click", () => this.#setOpen(false));
    this.panel.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => event.key === "Escape" && this.#setOpen(false));
    byId("chat-form").addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      this.#send();
    });
  }

  /** @param {import("../parley.js").Client} client */
  start(client) {
    this.#client = client;
    this.log.replaceChildren();
    this.#showKeeping();
    client.addEventListener("joined", () => this.#showKeeping());
    client.addEventListener("message", (/** @type {any} */ { detail }) => {
      if (detail.topic === TOPIC && typeof detail.body === "string") this.#add(detail);
    });
  }

  stop() {
    this.#client = null;
    this.panel.hidden = true;
    this.#count(0);
  }

  /** Whoever writes should know who may read it later. */
  #showKeeping() {
    const days = this.#client?.limits.message_days;
    setText(byId("chat-empty"), days ? `This room stores its messages (days: ${days}).` : "The server does not store messages: they end with the call.");
    byId("chat-empty").hidden = !days && this.log.childElementCount > 0;
  }

  /** @param {boolean} open */
  #setOpen(open) {
    this.panel.hidden = !open;
    this.toggle.setAttribute("aria-expanded", String(open));
    if (open) {
      this.#count(0);
      this.#toEnd();
      this.field.focus();
    } else {
      this.toggle.focus();
    }
  }

  async #send() {
    const text = this.field.value.trim();
    if (!text || !this.#client) return;
    this.field.value = "";
    try {
      await this.#client.sendMessage(text, { topic: TOPIC });
    } catch (/** @type {any} */ error) {
      this.field.value ||= text;
      this.#append(create("li", { className: "problem", textContent: problemInWords(error) }));
    }
  }

  /** @param {{from: string, body: string, sent_at: string}} message */
  #add({ from, body, sent_at }) {
    const who = this.#client?.participants.get(from);
    const name = from === this.#client?.me?.id ? "You" : (who?.name ?? "Participant who left");
    const at = new Date(sent_at);
    const time = create("time", { dateTime: sent_at, textContent: at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }) });
    this.#append(create("li", {}, create("b", { textContent: name }), time, create("p", { textContent: body })));
    if (this.panel.hidden) this.#count(this.#unread + 1);
  }

  /** @param {Element} line */
  #append(line) {
    byId("chat-empty").hidden = !this.#client?.limits.message_days;
    const atEnd = this.scroll.scrollHeight - this.scroll.scrollTop - this.scroll.clientHeight < 48;
    this.log.append(line);
    while (this.log.childElementCount > KEPT) this.log.firstElementChild.remove();
    if (atEnd) this.#toEnd();
  }

  #toEnd() {
    this.scroll.scrollTop = this.scroll.scrollHeight;
  }

  /** @param {number} unread */
  #count(unread) {
    this.#unread = unread;
    const badge = byId("chat-unread");
    badge.hidden = unread === 0;
    setText(badge, unread > 99 ? "99+" : String(unread));
    this.toggle.setAttribute("aria-label", unread ? `Chat, ${unread} new` : "Chat");
    this.toggle.setAttribute("aria-expanded", String(!this.panel.hidden));
  }
}
