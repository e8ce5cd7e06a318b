// @ts-check
/** The page: the way in, the room, the end, and the ways between them. */
import { Client } from "../parley.js";
import { setUpDialogs } from "./dialogs.js";
import { byId, setText } from "./dom.js";
import { devToken, keepRoom, serverConfig, takeInvitation } from "./invitation.js";
import { acceptInvite, lookAtInvite, makeInvite, mayInvite } from "./invites.js";
import { JoinView, PASSWORD_PROBLEMS } from "./join.js";
import { recall } from "./memory.js";
import { RoomView } from "./room.js";
import { rememberedAudio } from "./settings.js";
import { setUpSharing } from "./sharing.js";
import { endingInWords, problemInWords } from "./words.js";

/** Another token may help, and an invite gives one. */
const TOKEN_REFUSED = ["unauthenticated", "token_expired", "token_invalid"];
/** Such an invite will not do better a second time. */
const INVITE_REFUSED = ["invite_invalid", "guests_refused", "room_closed", "not_found"];

let { room, token, invite } = takeInvitation();
const config = await serverConfig();
/** The invite that `token` came from, and the name of its room. */
let spent = "";
let roomName = "";
/** What the server knows this person by. */
let shown = "";
/** @type {Client | null} */
let client = null;

const joinView = new JoinView(join);
const roomView = new RoomView(end);

/**
 * Refuses with a `ParleyError`; what comes after that is told in the room.
 * @param {import("./join.js").Entry} wanted
 */
async function join(wanted) {
  if (wanted.invite) [invite, token, spent] = [wanted.invite, "", ""];
  else if (wanted.token) [invite, token, spent] = ["", wanted.token, ""];
  if (invite) await useInvite(wanted.name);
  const there = spent ? room : wanted.room;
  const joining = makeClient(wanted, there);
  /** @type {any[]} */
  const problems = [];
  const keep = (/** @type {any} */ { detail }) => problems.push(detail);
  joining.addEventListener("error", keep);
  try {
    await joining.start();
  } catch (/** @type {any} */ error) {
    if (spent && TOKEN_REFUSED.includes(error.code)) [invite, token, spent] = [spent, "", ""];
    else if (!config.dev && !spent && !PASSWORD_PROBLEMS.has(error.code)) token = "";
    showStart(there);
    throw error;
  }
  joining.removeEventListener("error", keep);
  client = joining;
  room = there;
  keepRoom(room);
  joinView.hide();
  roomView.show(client, problems);
}

/** @param {import("./join.js").Entry} wanted @param {string} there */
function makeClient({ name, password }, there) {
  shown = token;
  const source = config.dev && !token ? async () => (shown = await devToken(name, there)) : token;
  const made = new Client("ws", source, {
    room: there,
    displayName: name,
    password,
    slots: config.slots,
    audio: rememberedAudio(),
    outputDevice: recall("output") || undefined,
  });
  made.addEventListener("token", (/** @type {any} */ { detail }) => {
    shown = detail.token;
    if (token) token = shown;
  });
  return made;
}

/** The invite becomes a token, and leaves the address bar. @param {string} name */
async function useInvite(name) {
  try {
    const accepted = await acceptInvite(invite, name, token);
    [spent, invite, token, room, roomName] = [invite, "", accepted.token, accepted.room, accepted.room_name];
    keepRoom(room);
  } catch (error) {
    forgetInvite(error);
    throw error;
  }
}

/** No other room is offered in its place: whoever is pressing Enter just now would find themselves there. @param {any} error */
function forgetInvite(error) {
  if (!INVITE_REFUSED.includes(error.code)) return;
  [invite, room, roomName] = ["", "", ""];
  keepRoom("");
  showStart();
  byId("room").value = "";
}

/** What the invite is for, so that people see where they go. */
async function lookAround() {
  const asked = invite;
  if (!asked) return;
  try {
    const found = await lookAtInvite(asked, token);
    if (asked !== invite) return;
    [room, roomName] = [found.room, found.room_name];
    if (!byId("join").hidden) showStart();
  } catch (error) {
    if (asked !== invite) return;
    forgetInvite(error);
    if (!byId("join").hidden) joinView.tell(problemInWords(/** @type {any} */ (error)));
  }
}

/** @param {string} [there] */
function showStart(there = room) {
  joinView.show({ room: there, roomName, invited: Boolean(invite || spent), tokenNeeded: !config.dev && !token && !invite });
}

/** @param {string} reason @param {import("./words.js").Act} [act] what a moderator did last */
function end(reason, act) {
  client = null;
  roomView.hide();
  const { title, words } = endingInWords(reason, act);
  document.title = `${title} · Parley`;
  setText(byId("ended-title"), title);
  setText(byId("ended-words"), words);
  byId("ended-again").hidden = reason === "banned" || reason === "room_deleted";
  byId("ended").hidden = false;
  byId("ended-title").focus();
}

function toTheStart() {
  byId("ended").hidden = true;
  showStart();
  byId("join-title").focus();
}

byId("ended-back").addEventListener("click", toTheStart);
byId("ended-again").addEventListener("click", () => {
  toTheStart();
  byId("join-form").requestSubmit();
});
addEventListener("hashchange", () => {
  const next = takeInvitation();
  const elsewhere = (invite || spent) && next.room !== room;
  if (next.token || next.invite || elsewhere) [token, invite, spent, roomName] = [next.token, next.invite, "", ""];
  if (byId("join").hidden) return;
  room = next.room;
  showStart();
  lookAround();
});
setUpDialogs();
setUpSharing({
  room: () => room,
  open: () => config.dev,
  mayInvite: () => mayInvite(client?.me?.role),
  make: (choice) => makeInvite(room, choice, shown),
});
showStart();
await lookAround();
