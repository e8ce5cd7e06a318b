// @ts-check
/** Webhooks: who is told of what, whether it gets there, and a test. */
import { create, setText } from "../page/dom.js";
import { askFor, showOnce } from "./asking.js";
import { button, chip, moment, once } from "./elements.js";
import { wordsIn } from "./fields.js";
import { PagedList } from "./pages.js";
import { attempt, told } from "./telling.js";
import { counted, problemInWords } from "./words.js";

/** @type {Record<string, string>} */
const DISABLED = { operator: "off", gone: "off: it answered that it is gone", gave_up: "off: nothing got there for three days" };
/** @type {Record<string, string>} */
const RESULTS = { delivered: "Delivered.", gone: "The receiver answered that it is gone.", refused: "The server does not connect to this address.", failed: "The delivery failed." };

/** @param {import("./session.js").Session} session @returns {import("./main.js").View} */
export function webhooksView(session) {
  const list = new PagedList("Webhooks", () => session.get("webhooks"), row, ["No webhooks.", "A webhook sends events to your own service: rooms, calls, participants, moderation."]);

  /** @param {any} hook */
  function row(hook) {
    const path = `webhooks/${encodeURIComponent(hook.id)}`;
    const outcome = create("p", { className: "hint" });
    outcome.setAttribute("role", "status");
    const failing = hook.failing.map((/** @type {any} */ one) => create("p", { className: "problem", textContent: `${one.room ? `Room ${one.room}` : "Events of no room"}: ${counted(one.attempts, "attempt")} failed${one.last_error ? `, ${one.last_error}` : ""}` }));
    const words = create("div", { className: "grow" },
      create("h3", { className: "cut" }, create("span", { textContent: hook.url })),
      create("p", { className: "about" }, chip(hook.enabled ? "on" : (DISABLED[hook.disabled_reason] ?? "off"), hook.enabled ? "good" : ""), ...hook.events.map((/** @type {string} */ one) => chip(one === "*" ? "everything" : one))),
      create("p", { className: "quiet" }, create("span", { textContent: `${hook.description ? `${hook.description} · ` : ""}by ${hook.created_by}, ` }), moment(hook.created_at)), ...failing, outcome);
    const test = button("Test", () => once(test, async () => {
      setText(outcome, "Sending…");
      try {
        const { result, status, detail } = await session.post(`${path}/test`);
        setText(outcome, `${RESULTS[result] ?? result}${status ? ` Its answer was ${status}.` : ""}${detail ? ` ${detail}` : ""}`);
      } catch (error) {
        setText(outcome, problemInWords(/** @type {any} */ (error)));
      }
    }), { kind: "quiet small", label: `Test ${hook.url}` });
    const flip = button(hook.enabled ? "Turn off" : "Turn on", () => once(flip, async () => {
      await attempt(() => session.ask(path, { method: "PATCH", body: { enabled: !hook.enabled }, etag: `"${hook.version}"` }), hook.enabled ? "The webhook is off." : "The webhook is on, and gets the events that it missed.");
      await list.show();
    }), { kind: "quiet small", label: `${hook.enabled ? "Turn off" : "Turn on"} ${hook.url}` });
    const remove = button("Delete…", () => {
      askFor({ title: "Delete this webhook?", words: `${hook.url} gets no more events, and not those that it missed.`, submit: "Delete", danger: true }, async () => {
        await session.remove(path);
        told("The webhook is deleted.");
        await list.show();
      });
    }, { kind: "quiet small danger", label: `Delete… ${hook.url}` });
    return create("div", { className: "row" }, words, create("div", { className: "acts" }, test, flip, remove));
  }

  const make = button("Add a webhook", () => {
    /** @type {import("./fields.js").Field[]} */
    const fields = [
      { name: "url", label: "Address", required: true, hint: "https://…, where a service of yours listens." },
      { name: "events", label: "Events", value: "*", hint: "Names, families such as room.*, or * for all, separated by spaces." },
      { name: "description", label: "Description", longest: 1000 },
    ];
    askFor({ title: "Add a webhook", fields, submit: "Add it" }, async ({ url, events, description }) => {
      const made = await session.post("webhooks", { url, events: wordsIn(events), ...(description ? { description } : {}) });
      await list.show();
      setTimeout(() => showOnce({ title: "The secret of the webhook", words: "Copy it now: it is shown only once. Your service uses it to check that events come from this server.", label: "Secret", value: made.secret, copy: "Copy the secret" }));
    });
  }, { kind: "primary", picture: "plus" });
  list.show();
  return { title: "Webhooks", section: "webhooks", tools: [make], body: create("div", {}, create("h2", { className: "unseen", textContent: "List of webhooks" }), list.element) };
}
