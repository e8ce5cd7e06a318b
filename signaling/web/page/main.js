// @ts-check
/** The page: the way in, the room, the end, and the ways between them. */
import { Client } from "../parley.js";
import { byId, setText } from "./dom.js";
import { devToken, keepRoom, serverConfig, takeInvitation } from "./invitation.js";
import { JoinView } from "./join.js";
import { recall } from "./memory.js";
import { RoomView } from "./room.js";
import { rememberedAudio } from "./settings.js";
import { setUpDialogs, setUpSharing } from "./sharing.js";
import { endingInWords } from "./words.js";

const invitation = takeInvitation();
const config = await serverConfig();
let token = invitation.token;
let room = invitation.room;
let entry = { name: "", room: "", token: "" };

const joinView = new JoinView(join);
const roomView = new RoomView(end);

/**
 * Refuses with a `ParleyError`; what comes after that is told in the room.
 * @param {typeof entry} wanted
 */
async function join(wanted) {
  entry = wanted;
  token = wanted.token || token;
  const client = new Client("ws", config.dev && !token ? () => devToken(wanted.name, wanted.room) : token, {
    room: wanted.room,
    displayName: wanted.name,
    slots: config.slots,
    audio: rememberedAudio(),
    outputDevice: recall("output") || undefined,
  });
  /** @type {any[]} */
  const problems = [];
  const keep = (/** @type {any} */ { detail }) => problems.push(detail);
  client.addEventListener("error", keep);
  try {
    await client.start();
  } catch (error) {
    if (!config.dev) {
      token = "";
      joinView.show({ room: wanted.room, tokenNeeded: true });
    }
    throw error;
  }
  client.removeEventListener("error", keep);
  room = wanted.room;
  keepRoom(room);
  joinView.hide();
  roomView.show(client, problems);
}

/** @param {string} reason */
function end(reason) {
  roomView.hide();
  const { title, words } = endingInWords(reason);
  document.title = `${title} · Parley`;
  setText(byId("ended-title"), title);
  setText(byId("ended-words"), words);
  byId("ended-again").hidden = reason === "banned" || reason === "room_deleted";
  byId("ended").hidden = false;
  byId("ended-title").focus();
}

/** @param {string} [problem] */
function toTheStart(problem) {
  byId("ended").hidden = true;
  joinView.show({ room, tokenNeeded: !config.dev && !token, problem });
  byId("join-title").focus();
}

byId("ended-back").addEventListener("click", () => toTheStart());
byId("ended-again").addEventListener("click", () => {
  toTheStart();
  byId("join-form").requestSubmit();
});
addEventListener("hashchange", () => {
  const { room: next, token: given } = takeInvitation();
  token = given || token;
  if (!byId("join").hidden) joinView.show({ room: next, tokenNeeded: !config.dev && !token });
});
setUpDialogs();
setUpSharing(() => room, () => config.dev);
joinView.show({ room, tokenNeeded: !config.dev && !token });
