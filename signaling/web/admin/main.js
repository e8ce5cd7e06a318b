// @ts-check
/** The admin page: signing in, the sections, and the way between them by the address. */
import { byId, create, icon, setText } from "../page/dom.js";
import { serverConfig } from "../page/invitation.js";
import { dismissAll } from "../page/notices.js";
import { post } from "../page/server.js";
import { bansView } from "./bans.js";
import { once } from "./elements.js";
import { keysView } from "./keys.js";
import { roomView } from "./room.js";
import { roomsView } from "./rooms.js";
import { Session, keepBearer, keptBearer, ofRoom } from "./session.js";
import { webhooksView } from "./webhooks.js";
import { problemInWords } from "./words.js";

/**
 * @typedef {object} View
 * @property {string} title
 * @property {string} section
 * @property {Node} body
 * @property {Node[]} [tools]
 * @property {{href: string, words: string}} [back]
 * @property {() => void} [close]
 */

/** @type {{name: string, words: string, picture: string, least: string, path: string, people?: boolean, make: (session: Session) => View}[]} */
const SECTIONS = [
  { name: "rooms", words: "Rooms", picture: "rooms", least: "member", path: "", make: roomsView },
  { name: "bans", words: "Server bans", picture: "shield", least: "operator", path: "bans?limit=1", make: bansView },
  { name: "webhooks", words: "Webhooks", picture: "send", least: "operator", path: "webhooks", make: webhooksView },
  { name: "keys", words: "API keys", picture: "key", least: "operator", path: "api-keys", people: true, make: keysView },
];
const FROM_DEV = "dev";

const given = takeBearer() || keptBearer();
const config = await serverConfig();
/** @type {Session | null} */
let session = null;
/** @type {View | null} */
let view = null;
/** Counts signing in and out, so that nothing of an earlier one is shown. */
let turn = 0;

const operatorToken = async () => (await post("dev/token", { name: "Operator", role: "operator" })).token;

/** Takes a token out of the address bar and the history, and leaves the rest. */
function takeBearer() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const bearer = fragment.get("token") ?? fragment.get("key") ?? "";
  if (!bearer) return "";
  for (const name of ["token", "key"]) fragment.delete(name);
  history.replaceState(null, "", `${location.pathname}#${fragment}`);
  return bearer;
}

/** What somebody pasted: a token, a key, or a whole link with one in its fragment. @param {string} pasted */
function bearerIn(pasted) {
  const fragment = new URLSearchParams(pasted.split("#")[1] ?? "");
  return (fragment.get("token") ?? fragment.get("key") ?? pasted).trim();
}

/** @param {string} [problem] */
function showEntry(problem = "") {
  view?.close?.();
  [view, session] = [null, null];
  turn += 1;
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  byId("desk").hidden = true;
  byId("entry").hidden = false;
  byId("entry-dev").hidden = !config.dev;
  setText(byId("entry-problem"), problem);
  document.title = "Parley admin";
}

/** @param {string} bearer @param {boolean} dev whether the server gives another one */
async function signIn(bearer, dev) {
  const own = (turn += 1);
  const made = new Session(bearer, (error) => made === session && signOut(problemInWords(error)), dev ? operatorToken : undefined);
  const room = made.who.room;
  try {
    await made.get(room ? ofRoom(room, "participants") : "rooms", { limit: 1 });
  } catch (/** @type {any} */ error) {
    if (error.code !== "forbidden") throw error; // it is one, and may something else
  }
  if (own !== turn) return;
  session = made;
  keepBearer(dev ? FROM_DEV : bearer);
  byId("entry").hidden = true;
  byId("desk").hidden = false;
  const { kind, name, identity, role } = made.who;
  byId("who").replaceChildren(create("b", { textContent: kind === "service" ? "API key" : name || identity }), create("span", { className: "chip", textContent: kind === "service" ? identity.slice("apikey:".length) : role }));
  await showSections(made);
  go();
}

/** @param {string} [problem] */
function signOut(problem = "") {
  keepBearer("");
  showEntry(problem);
  byId(problem ? "bearer" : "entry-title").focus();
}

/** The sections that the bearer may see; what a key opens, only the server knows. @param {Session} by */
async function showSections(by) {
  const asked = SECTIONS.map(async ({ least, path, people }) => {
    if (!by.is(least) || (people && by.who.kind === "service")) return false;
    return by.who.kind !== "service" || !path || by.opens(path);
  });
  const open = await Promise.all(asked.map((one) => one.catch(() => true)));
  if (by !== session) return;
  const links = SECTIONS.filter((_, index) => open[index]).map(({ name, words, picture }) => create("li", {}, create("a", { href: `#${name}`, id: `section-${name}` }, icon(picture), create("span", { textContent: words }))));
  byId("sections").querySelector("ul").replaceChildren(...links);
  byId("sections").hidden = links.length < 2;
}

/** Shows what the address names. */
function go() {
  if (!session) return;
  view?.close?.();
  dismissAll();
  const fragment = new URLSearchParams(location.hash.slice(1));
  const own = session.is("operator") ? "" : session.who.room;
  const room = fragment.get("room") || (fragment.size ? "" : own);
  const part = fragment.get("part") ?? "";
  const wanted = SECTIONS.find(({ name }) => fragment.has(name)) ?? SECTIONS[0];
  view = room ? roomView(session, room, part) : wanted.make(session);
  show(view);
}

/** @param {View} shown */
function show({ title, section, body, tools = [], back }) {
  document.title = `${title} · Parley admin`;
  setText(byId("view-title"), title);
  byId("view-tools").replaceChildren(...tools);
  byId("view-body").replaceChildren(body);
  const link = byId("view-back");
  link.hidden = !back;
  if (back) {
    link.href = back.href;
    link.replaceChildren(icon("back"), create("span", { textContent: back.words }));
  }
  for (const one of byId("sections").querySelectorAll("a")) {
    if (one.id === `section-${section}`) one.setAttribute("aria-current", "page");
    else one.removeAttribute("aria-current");
  }
  scrollTo(0, 0);
  byId("view-title").focus({ preventScroll: true });
}

/** @param {HTMLButtonElement} pressed @param {() => Promise<string>} bearer @param {boolean} dev */
function enter(pressed, bearer, dev) {
  return once(pressed, async () => {
    setText(byId("entry-problem"), "");
    byId("bearer").removeAttribute("aria-invalid");
    try {
      await signIn(await bearer(), dev);
      byId("bearer").value = "";
    } catch (/** @type {any} */ error) {
      const refused = ["token_missing", "unauthenticated", "token_invalid", "token_expired"].includes(error.code);
      setText(byId("entry-problem"), problemInWords(error));
      if (refused) {
        keepBearer("");
        byId("bearer").setAttribute("aria-invalid", "true");
      }
      byId("bearer").focus();
    }
  });
}

byId("entry-form").addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
  event.preventDefault();
  enter(byId("entry-button"), async () => {
    const bearer = bearerIn(byId("bearer").value);
    if (!bearer) throw { code: "token_missing" };
    return bearer;
  }, false);
});
byId("entry-operator").addEventListener("click", () => enter(byId("entry-operator"), operatorToken, true));
byId("sign-out").addEventListener("click", () => signOut());
byId("skip").addEventListener("click", (/** @type {MouseEvent} */ event) => {
  event.preventDefault(); // the address says which section is shown
  byId("view-title").focus();
});
addEventListener("hashchange", () => {
  const bearer = takeBearer();
  if (bearer) start(bearer);
  else go();
});

/** @param {string} bearer */
async function start(bearer) {
  showEntry();
  if (!bearer) return;
  const dev = bearer === FROM_DEV;
  await enter(byId("entry-button"), async () => (dev ? operatorToken() : bearer), dev);
}

await start(given);
