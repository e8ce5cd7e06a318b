// @ts-check
/**
 * The Parley SDK: join a room of a Parley server from a browser, talk and hear.
 *
 *     import { connect } from "/parley.js";
 *     const client = await connect("wss://voice.example/ws", token, { room: "lobby", displayName: "Ana" });
 *     client.addEventListener("speakers", (event) => show(event.detail.speakers));
 *     await client.setMicrophone(false);
 *
 * One module, no dependencies. The protocol is `parley.v1`; docs/protocol.md specifies it.
 * Times are milliseconds, levels and volumes are linear (0 is silence, 1 is as sent).
 */

/**
 * @typedef {object} Participant
 * @property {string} id           this session of the person
 * @property {string} identity     the person, the same after a rejoin
 * @property {string} name
 * @property {"owner"|"moderator"|"member"} role
 * @property {"joined"|"active"|"reconnecting"} state
 * @property {boolean} self_mute   the person's own doing
 * @property {boolean} self_deaf
 * @property {boolean} mute        a moderator's doing
 * @property {boolean} deaf
 * @property {boolean} suppressed  by a rule of the room
 * @property {boolean} held
 * @property {string} joined_at    RFC 3339
 *
 * @typedef {object} Slot          one incoming audio line of the peer connection
 * @property {string} mid
 * @property {string|null} participant  the id of the person who is in it now
 * @property {number} gain         the server's hint, 0 to 1
 * @property {MediaStreamTrack} [track]
 *
 * @typedef {object} Speaker
 * @property {string} participant
 * @property {number} level        0 to 1, as W3C audioLevel
 *
 * @typedef {object} Options
 * @property {string} room
 * @property {string} [displayName]
 * @property {number} [slots]      how many voices can be heard at once; as the server has it unless told
 * @property {boolean} [microphone] open the microphone at once; true unless told
 * @property {boolean} [muted]     join muted
 * @property {MediaTrackConstraints} [audio]  for the microphone, over the SDK's own
 * @property {string} [outputDevice]
 * @property {boolean} [trickle]   send ICE candidates: the server needs none, its history says by which it was reached; true unless told
 * @property {string} [password]
 * @property {string} [invite]
 *
 * @typedef {string | (() => string | Promise<string>)} Token  a function is asked again when a token is refused
 * @typedef {Record<string, any>} Payload
 */

const PROTOCOL = "parley.v1";
const AUTH_ID = "auth";
const PING_EVERY = 10_000;
const ANSWER_WITHIN = 10_000;
const OPEN_WITHIN = 6_000; // TCP tries after 0, 1, 3 and 7 s
const PONG_WITHIN = 5_000;
const MEDIA_WITHIN = 10_000;
const MEDIA_DOUBT = 500;
const MEDIA_PATIENCE = 2_000;
const LEVEL_EVERY = 100;
const BACK_OFF_FIRST = 400;
const BACK_OFF_LAST = 4_000;

/** Another token may help. */
const TOKEN_REFUSED = new Set(["unauthenticated", "token_expired", "token_invalid"]);
/** The server means it: trying again would end the same way. */
const FINAL = new Set([
  ...TOKEN_REFUSED,
  ..."forbidden duplicate_identity session_taken removed banned room_deleted room_closed idle client_initiated".split(" "),
  ..."bad_message unknown_type unexpected_message join_failure not_found".split(" "),
  ..."password_required password_wrong invite_required invite_invalid".split(" "),
]);

const MICROPHONE_ERRORS = /** @type {Record<string, [string, string]>} */ ({
  NotAllowedError: ["microphone_denied", "The browser or its user did not allow the microphone."],
  NotFoundError: ["microphone_missing", "There is no microphone."],
  OverconstrainedError: ["microphone_missing", "The chosen microphone is missing."],
  NotReadableError: ["microphone_busy", "Another program uses the microphone."],
});

/** What went wrong. `code` is stable: the server's codes, and the SDK's own (`connection_lost`, `microphone_denied`...). */
export class ParleyError extends Error {
  /** @param {string} code @param {string} message @param {unknown} [details] */
  constructor(code, message, details) {
    super(message);
    this.name = "ParleyError";
    this.code = code;
    this.details = details;
  }
}

/** @param {number} attempt counted from 0 */
const stage = (attempt) => (attempt < 0 ? 0 : Math.min(BACK_OFF_LAST, BACK_OFF_FIRST * 2 ** attempt));
/**
 * Time before the next attempt: a place in its stage, at most twice as long as the one before. Luck is drawn once for an
 * outage, so that those who lost a server together come back to it evenly.
 * @param {number} attempt counted from 0
 * @param {number} luck 0 to 1
 */
const backOff = (attempt, luck) => (1 - luck) * stage(attempt - 1) + luck * stage(attempt);

/** The microphones and loudspeakers of this machine. Names are empty until the microphone was allowed once. */
export async function devices() {
  const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return {
    inputs: all.filter((device) => device.kind === "audioinput"),
    outputs: all.filter((device) => device.kind === "audiooutput"),
  };
}

/** One microphone and its level. A page may use it alone, as a preview before joining. */
export class Microphone {
  /** @type {MediaStreamTrack | null} */ track = null;
  /** Called when the device goes away. */
  onended = () => {};
  /** @type {AudioContext | null} */ #context = null;
  /** @type {AnalyserNode | null} */ #analyser = null;
  #samples = new Float32Array(1024);

  /** @param {MediaTrackConstraints} [constraints] */
  constructor(constraints) {
    this.constraints = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, ...constraints };
  }

  /** @param {MediaTrackConstraints} [changes] for example `{deviceId: {exact: id}}` */
  async open(changes) {
    const constraints = { ...this.constraints, ...changes };
    if (!navigator.mediaDevices) {
      throw new ParleyError("microphone_insecure", "Browsers allow the microphone only on https pages and localhost.");
    }
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: constraints });
    } catch (/** @type {any} */ error) {
      const [code, message] = MICROPHONE_ERRORS[error.name] ?? ["microphone_failed", error.message];
      throw new ParleyError(code, message, error.name);
    }
    this.close();
    this.constraints = constraints;
    this.track = stream.getAudioTracks()[0];
    this.track.onended = () => this.onended();
    this.#context = new AudioContext();
    this.#analyser = this.#context.createAnalyser();
    this.#analyser.fftSize = this.#samples.length;
    this.#context.createMediaStreamSource(stream).connect(this.#analyser);
    return this.track;
  }

  /** Root mean square of the last 20 ms or so, 0 to 1. */
  get level() {
    if (!this.#analyser) return 0;
    this.#analyser.getFloatTimeDomainData(this.#samples);
    return Math.sqrt(this.#samples.reduce((sum, sample) => sum + sample * sample, 0) / this.#samples.length);
  }

  /** Gives the device back. */
  close() {
    this.track?.stop();
    this.#context?.close();
    this.track = this.#context = this.#analyser = null;
  }
}

/** What comes out of the loudspeaker: a gain for each slot, and one over all of them. */
class Output {
  #context = new AudioContext();
  #master = this.#context.createGain();
  /** @type {Map<string, {gain: GainNode, source: AudioNode, pump: HTMLAudioElement}>} */ #lines = new Map();
  /** @type {HTMLAudioElement | null} */ #element = null;

  /** @param {() => void} onChange the browser blocked the sound, or no longer does */
  constructor(onChange) {
    this.#master.connect(this.#context.destination);
    this.#context.onstatechange = onChange;
  }

  get blocked() {
    return this.#context.state !== "running";
  }

  /** @param {string} mid @param {MediaStreamTrack} track */
  attach(mid, track) {
    const stream = new MediaStream([track]);
    // Chromium feeds WebAudio from a remote track only while a media element plays it too.
    const pump = new Audio();
    pump.muted = true;
    pump.srcObject = stream;
    pump.play().catch(() => {}); // refused only when detached before it began
    const source = this.#context.createMediaStreamSource(stream);
    const gain = this.#context.createGain();
    source.connect(gain).connect(this.#master);
    this.#lines.set(mid, { gain, source, pump });
  }

  detach() {
    for (const { gain, source, pump } of this.#lines.values()) {
      source.disconnect();
      gain.disconnect();
      pump.srcObject = null;
    }
    this.#lines.clear();
  }

  /** @param {string} mid @param {number} value */
  setGain(mid, value) {
    this.#lines.get(mid)?.gain.gain.setTargetAtTime(value, this.#context.currentTime, 0.015);
  }

  /** @param {boolean} on */
  setDeaf(on) {
    this.#master.gain.setTargetAtTime(on ? 0 : 1, this.#context.currentTime, 0.015);
  }

  async unlock() {
    await this.#context.resume();
    await this.#element?.play();
  }

  /** @param {string} deviceId */
  async setDevice(deviceId) {
    const context = /** @type {any} */ (this.#context);
    if (context.setSinkId) return context.setSinkId(deviceId === "default" ? "" : deviceId);
    const element = /** @type {any} */ ((this.#element ??= new Audio()));
    if (!element.setSinkId) throw new ParleyError("output_unsupported", "This browser cannot choose a loudspeaker.");
    if (!element.srcObject) {
      const destination = context.createMediaStreamDestination();
      this.#master.disconnect();
      this.#master.connect(destination);
      element.srcObject = destination.stream;
    }
    await element.setSinkId(deviceId);
    await element.play();
  }

  close() {
    this.detach();
    if (this.#element) this.#element.srcObject = null;
    this.#context.onstatechange = null;
    this.#context.close();
  }
}

/** One peer connection: the microphone on the first line, then the slots. The client is always the offerer. */
class Media {
  /**
   * @param {number} slots
   * @param {RTCIceServer[]} iceServers
   * @param {MediaStreamTrack | null} track
   */
  constructor(slots, iceServers, track) {
    this.peer = new RTCPeerConnection({ bundlePolicy: "max-bundle", iceServers });
    this.sender = this.peer.addTransceiver(track ?? "audio", { direction: "sendonly" }).sender;
    this.lines = Array.from({ length: slots }, () => this.peer.addTransceiver("audio", { direction: "recvonly" }));
    this.restarted = false;
  }

  get connected() {
    return this.peer.connectionState === "connected";
  }

  /** @param {boolean} iceRestart */
  async offer(iceRestart) {
    const offer = await this.peer.createOffer({ iceRestart });
    await this.peer.setLocalDescription(offer);
    return /** @type {string} */ (offer.sdp);
  }

  /** @param {string} sdp */
  accept(sdp) {
    return this.peer.setRemoteDescription({ type: "answer", sdp });
  }

  close() {
    this.peer.onconnectionstatechange = this.peer.onicecandidate = null;
    this.peer.close();
  }
}

/** Plain HTTP with the surface of a WebSocket: a request for each message, an event stream for what the server says. */
class HttpSocket {
  readyState = 1;
  /** @type {any} */ onopen;
  /** @type {any} */ onmessage;
  /** @type {any} */ onclose;
  /** @type {Record<string, string>} */ #headers = { "Content-Type": "application/json" };
  #ended = new AbortController();
  /** @type {Promise<any>} */ #turn;

  /** @param {URL} url */
  constructor(url) {
    this.url = url;
    this.#turn = Promise.resolve().then(() => this.onopen?.());
  }

  /** One after the other, as on a socket. The stream has all the answers but the first. @param {string} body */
  send(body) {
    this.#turn = this.#turn.then(() => this.#post(body)).catch(() => this.#fail());
  }

  close() {
    this.onopen = this.onmessage = this.onclose = null;
    this.#ended.abort();
  }

  /** @param {string} path @param {RequestInit} options */
  #ask(path, options) {
    return fetch(this.url + path, { ...options, headers: this.#headers }).catch(() => null);
  }

  /** @param {string} body */
  async #post(body) {
    const first = !this.#headers["Parley-Session"];
    const response = await this.#ask("signal", { method: "POST", body, keepalive: body.length < 30_000 });
    const data = (await response?.text()) ?? "";
    if (!response?.ok) {
      if (first || !data || /"(unauthenticated|session_taken)"/.test(data)) this.#fail(data);
    } else if (first) {
      const { type, seq, payload } = JSON.parse(data);
      if (type === "welcome") this.#listen(seq, `${payload.session}.${payload.secret}`);
      this.onmessage?.({ data });
    }
  }

  /** Reads the stream, and opens it again where it was cut. @param {string} seq @param {string} session */
  async #listen(seq, session) {
    for (let said = true; said; ) {
      said = false;
      this.#headers = { ...this.#headers, "Parley-Session": session, "Last-Event-ID": seq };
      const response = await this.#ask("events", { signal: this.#ended.signal });
      if (!response?.ok) return this.#fail(await response?.text());
      const reader = /** @type {any} */ (response.body).pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = "", chunk; (chunk = await reader.read().catch(() => null)) && !chunk.done; ) {
        const events = (rest + chunk.value).split("\n\n");
        rest = events.pop() ?? "";
        for (const event of events) {
          const data = event.split("\ndata: ")[1];
          if (!data) continue;
          said = true;
          seq = JSON.parse(data).seq;
          this.onmessage?.({ data });
        }
      }
    }
    this.#fail();
  }

  /** @param {string} [problem] A session that the server no longer knows is a connection lost, as any other. */
  #fail(problem = "") {
    const reason = /"code":"(?!unauthenticated)(\w+)"/.exec(problem)?.[1];
    this.onclose?.({ code: reason ? 4000 : 1006, reason });
    this.close();
  }
}

/** The line to the server: envelopes, replies, sequence numbers, liveness; and the session that outlives a connection. */
class Signaling {
  /** @type {any} a WebSocket or an HttpSocket */ #socket = null;
  /** @type {Map<string, {resolve: (payload: any) => void, reject: (error: ParleyError) => void, timer: number}>} */
  #pending = new Map();
  /** @type {{resolve: (payload: any) => void, reject: (error: ParleyError) => void} | null} */ #opening = null;
  /** @type {{session: string, secret: string} | null} */ #session = null;
  /** @type {Record<string, number>} */ #timers = {};
  #requests = 0;
  #heard = 0;
  #seq = 0;
  #refusal = "";
  #blocked = 0;

  /**
   * @param {string} url
   * @param {string} room
   * @param {(type: string, payload: Payload) => void} onMessage
   * @param {(error: ParleyError) => void} onLost
   */
  constructor(url, room, onMessage, onLost) {
    this.url = url;
    this.room = room;
    this.onMessage = onMessage;
    this.onLost = onLost;
    this.up = false;
    this.anew = true;
  }

  /** Whether the next socket takes up where the last one stopped. */
  get resumable() {
    return this.#session !== null;
  }

  /**
   * Opens a socket and resolves with `welcome`. A session that is known is resumed; where that fails,
   * `anew` says whether the server has to be asked in again or sends `joined` by itself. Where two WebSockets in a row
   * do not open, plain HTTP takes their place; from then on one is tried each time.
   * @param {string} token
   * @returns {Promise<Payload>}
   */
  async open(token) {
    for (;;) {
      const plain = this.#blocked > 1;
      if (plain) this.#blocked = 1;
      try {
        return await this.#open(token, plain);
      } catch (/** @type {any} */ error) {
        if (plain || error.code !== "connection_failed") throw error;
        this.#blocked++;
      }
    }
  }

  /** @param {string} token @param {boolean} plain @returns {Promise<Payload>} */
  #open(token, plain) {
    this.#drop();
    return new Promise((resolve, reject) => {
      const resume = this.#session;
      this.#opening = { resolve, reject };
      this.#refusal = "";
      this.anew = !resume;
      /** @type {any} */ let socket;
      try {
        const protocols = resume ? [PROTOCOL] : [PROTOCOL, `parley.token.${token}`];
        const address = new URL(`api/v1/rooms/${this.room}/`, this.url.replace("ws", "http"));
        socket = plain ? new HttpSocket(address) : new WebSocket(this.url, protocols);
      } catch {
        return this.#lose("token_invalid", "A token may contain only letters, digits and -._");
      }
      this.#socket = socket;
      this.#after("open", OPEN_WITHIN, () => this.#opening && this.#lose("connection_failed", "The server did not answer."));
      socket.onopen = () => {
        if (resume) this.send("resume", { ...resume, seq_ack: this.#seq });
        else if (plain) this.send("auth", { token }, AUTH_ID);
      };
      socket.onmessage = (/** @type {MessageEvent} */ { data }) => {
        if (!plain) this.#blocked = 0;
        this.#receive(data, token);
      };
      socket.onclose = (/** @type {CloseEvent} */ { code, reason }) => {
        const known = this.#refusal || (code >= 4000 && reason) || (this.#opening ? "connection_failed" : "connection_lost");
        this.#lose(known, `The connection to the server closed (${code}).`);
      };
    });
  }

  /**
   * @param {string} type
   * @param {Payload} payload
   * @param {string} [id]
   */
  send(type, payload, id) {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify({ type, id, payload }));
  }

  /**
   * Sends a message and resolves with its answer. It is not sent again after a lost socket.
   * @param {string} type
   * @param {Payload} [payload]
   * @returns {Promise<any>}
   */
  request(type, payload = {}) {
    if (!this.up) return Promise.reject(new ParleyError("not_connected", `Not connected: ${type} was not sent.`));
    const id = String(++this.#requests);
    return new Promise((resolve, reject) => {
      const late = () => this.#settle(id)?.reject(new ParleyError("timeout", `The server did not answer ${type}.`));
      this.#pending.set(id, { resolve, reject, timer: window.setTimeout(late, ANSWER_WITHIN) });
      this.send(type, payload, id);
    });
  }

  /** Ends the socket. @param {boolean} [forget] and the session */
  close(forget) {
    if (forget) this.#session = null;
    this.#lose("connection_lost", "The client closed the connection.", true);
  }

  /** @param {string} text @param {string} token */
  #receive(text, token) {
    this.#heard++;
    const { type, id, seq, payload = {} } = JSON.parse(text);
    if (type === "welcome" && this.#opening) return this.#welcomed(seq, id, payload);
    if (!this.#opening) {
      if (seq <= this.#seq) return;
      this.#seq = seq; // before welcome the numbers are those of a session that may not become ours
    }
    this.#refusal = "";
    const waiting = this.#settle(id);
    if (type === "error") {
      const error = new ParleyError(payload.code, payload.message, payload.details);
      if (waiting) return waiting.reject(error);
      if (id === AUTH_ID && !this.#opening) return; // it was not needed: see below
      this.#refusal = error.code;
      if (this.#opening) return this.#lose(error.code, error.message);
    }
    if (type === "resume-lost" && this.#opening) {
      this.#session = null;
      // A server that still has the seat goes on with welcome and joined, and refuses this; one that knows nothing takes it.
      this.send("auth", { token }, AUTH_ID);
    }
    waiting?.resolve(payload);
    this.onMessage(type, payload);
  }

  /** @param {number} seq @param {string|undefined} id @param {Payload} payload */
  #welcomed(seq, id, payload) {
    this.#session = { session: payload.session, secret: payload.secret };
    this.#seq = seq;
    this.anew ||= id === AUTH_ID;
    this.up = true;
    this.#opening?.resolve(payload);
    this.#opening = null;
    this.#after("open", PING_EVERY, () => this.#ping());
  }

  #ping() {
    const heard = this.#heard;
    this.send("ping", { seq_ack: this.#seq });
    this.#after("pong", PONG_WITHIN, () => heard === this.#heard && this.#lose("connection_lost", "The server stopped answering."));
    this.#after("open", PING_EVERY, () => this.#ping());
  }

  /** @param {string} id */
  #settle(id) {
    const waiting = this.#pending.get(id);
    clearTimeout(waiting?.timer);
    this.#pending.delete(id);
    return waiting;
  }

  /** @param {"open"|"pong"} name one timer at a time of each @param {number} delay @param {() => void} action */
  #after(name, delay, action) {
    clearTimeout(this.#timers[name]);
    this.#timers[name] = window.setTimeout(action, delay);
  }

  /** @param {string} code @param {string} message @param {boolean} [quietly] */
  #lose(code, message, quietly) {
    const error = new ParleyError(code, message);
    const opening = this.#opening;
    this.#drop();
    if (FINAL.has(code)) this.#session = null;
    for (const id of [...this.#pending.keys()]) this.#settle(id)?.reject(error);
    if (opening) opening.reject(error);
    else if (!quietly) this.onLost(error);
  }

  #drop() {
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    this.#opening = null;
    this.up = false;
    if (this.#socket) {
      this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
      this.#socket.close();
      this.#socket = null;
    }
  }
}

/**
 * A person in a room. Events carry their matter in `detail`:
 *
 * | event | detail |
 * |---|---|
 * | `state` | `{state, signaling, media, reason?}`: `connecting`, `connected`, `reconnecting` or `disconnected` |
 * | `joined`, `moved` | `{room, call, participant, participants}`: again after a rejoin; taken elsewhere by a moderator |
 * | `call-state-changed` | `{call}`: it ends |
 * | `participant-joined`, `participant-updated` | `{participant}` |
 * | `participant-left` | `{participant, reason}` |
 * | `slots`, `speakers` | `{slots}`, `{speakers}` loudest first |
 * | `message`, `signal`, `dtmf` | as sent, with `from` |
 * | `moderated` | `{action, by, reason}`: a moderator did this to you |
 * | `media` | `{arriving}`: whether the server gets your voice |
 * | `level` | `{level}` of the microphone, ten times a second |
 * | `audio-blocked` | `{blocked}`: call `unlockAudio()` from a click or a key |
 * | `token` | `{token}`: a fresh one, already taken into use |
 * | `error` | a `ParleyError` that no call of yours is waiting for |
 */
export class Client extends EventTarget {
  /** @type {"connecting"|"connected"|"reconnecting"|"disconnected"} */ state = "connecting";
  /** @type {Map<string, Participant>} */ participants = new Map();
  /** @type {Slot[]} */ slots = [];
  /** @type {Speaker[]} */ speakers = [];
  /** @type {Payload} */ limits = {};
  /** @type {Payload} */ call = {};
  /** @type {Microphone} */ microphone;
  #id = "";
  #token = "";
  #muted;
  #deafened = false;
  #held = false;
  #gate = true;
  #ended = false;
  #retrying = false;
  #shown = "";
  #failures = 0;
  #unreachable = false;
  /** @type {RTCIceServer[]} */ #iceServers = [];
  /** @type {Media | null} */ #media = null;
  /** @type {Output} */ #output;
  /** @type {Map<string, number>} volume by identity */ #volumes = new Map();
  /** @type {Promise<void>} */ #turn = Promise.resolve();
  #levelTimer = 0;
  #blockedTimer = 0;
  #mediaTimer = 0;
  /** @type {() => void} */ #wake = () => {};
  #leaveOnHide = () => void this.leave();
  #wakeOnline = () => this.#wake();

  /**
   * @param {string} url of the server's `/ws`; http and https will do, and so will the server's address alone
   * @param {Token} token
   * @param {Options} options
   */
  constructor(url, token, options) {
    super();
    const address = new URL(url, location.href);
    address.protocol = address.protocol.replace("http", "ws");
    address.hash = "";
    if (address.pathname === "/") address.pathname = "/ws";
    this.room = options.room;
    this.options = options;
    this.tokenSource = token;
    this.#muted = Boolean(options.muted);
    this.microphone = new Microphone(options.audio);
    this.microphone.onended = () => this.#changeMicrophone({ deviceId: undefined }).catch(() => {}); // told by `error`
    this.#output = new Output(() => this.#emit("audio-blocked", { blocked: this.audioBlocked }));
    this.signaling = new Signaling(
      address.href,
      options.room,
      (type, payload) => this.#hear(type, payload),
      (error) => this.#lost(error),
    );
  }

  /** You. */
  get me() {
    return this.participants.get(this.#id);
  }

  /** Whether your microphone is off by your own doing. */
  get muted() {
    return this.#muted;
  }

  get deafened() {
    return this.#deafened;
  }

  /** Whether the browser plays no sound until the person clicks or types. */
  get audioBlocked() {
    return this.#output.blocked;
  }

  /** Joins the room; `connect()` calls it. */
  async start() {
    addEventListener("pagehide", this.#leaveOnHide);
    addEventListener("online", this.#wakeOnline);
    try {
      if (this.options.microphone !== false) await this.microphone.open().catch((error) => this.#emit("error", error));
      await this.#enter();
      await this.#turn;
    } catch (/** @type {any} */ error) {
      this.#end(error.code);
      throw error;
    }
    if (this.#ended) return this;
    this.#levelTimer = window.setInterval(() => {
      if (this.microphone.track) this.#emit("level", { level: this.microphone.level });
    }, LEVEL_EVERY);
    this.#blockedTimer = window.setTimeout(() => this.audioBlocked && this.#emit("audio-blocked", { blocked: true }), 1000);
    if (this.options.outputDevice) await this.setOutputDevice(this.options.outputDevice).catch((error) => this.#emit("error", error));
    return this;
  }

  /** Leaves the room and gives everything back: devices, sockets, timers. */
  async leave() {
    if (this.#ended) return;
    this.signaling.send("leave", {});
    this.#end("client_initiated");
  }

  /**
   * Turns the microphone on or off, for you and for the room.
   * @param {boolean} on
   * @param {{release?: boolean}} [options] `release` gives the device back while it is off
   */
  async setMicrophone(on, { release = false } = {}) {
    if (on && !this.microphone.track) await this.#changeMicrophone();
    this.#muted = !on;
    if (!on && release) {
      this.microphone.close();
      await this.#media?.sender.replaceTrack(null);
    }
    this.#applyGate();
    await this.#tell(!on, "mute");
  }

  mute() {
    return this.setMicrophone(false);
  }

  unmute() {
    return this.setMicrophone(true);
  }

  /**
   * For push to talk: a closed gate sends silence, and the room does not see you as muted.
   * @param {boolean} open
   */
  setGate(open) {
    this.#gate = open;
    this.#applyGate();
  }

  deafen() {
    return this.#setDeaf(true);
  }

  undeafen() {
    return this.#setDeaf(false);
  }

  hold() {
    return this.#tell((this.#held = true), "hold");
  }

  unhold() {
    return this.#tell((this.#held = false), "hold");
  }

  /** Another microphone, in the midst of the call. @param {string} deviceId */
  setInputDevice(deviceId) {
    return this.#changeMicrophone({ deviceId: { exact: deviceId } });
  }

  /** Other constraints for the microphone. @param {MediaTrackConstraints} changes */
  setAudio(changes) {
    return this.#changeMicrophone(changes);
  }

  /** Another loudspeaker. Refused with `output_unsupported` where the browser has no way. @param {string} deviceId */
  setOutputDevice(deviceId) {
    return this.#output.setDevice(deviceId);
  }

  /** Call it from a click or a key press. */
  unlockAudio() {
    return this.#output.unlock();
  }

  /** @param {string} id of a participant */
  volume(id) {
    return this.#volumes.get(this.participants.get(id)?.identity ?? "") ?? 1;
  }

  /**
   * How loud a person is for you, in whichever slot, also after they rejoin.
   * @param {string} id of a participant
   * @param {number} volume 0 to 2
   */
  setVolume(id, volume) {
    const identity = this.participants.get(id)?.identity;
    if (!identity) throw new ParleyError("no_such_participant", "There is no participant with this id.");
    this.#volumes.set(identity, Math.min(2, Math.max(0, volume)));
    this.#applyGains();
  }

  /** To everybody, or to one person. @param {string} body @param {{to?: string, topic?: string}} [options] */
  sendMessage(body, { to, topic = "chat" } = {}) {
    return this.signaling.request("message", { to, topic, body });
  }

  /** @param {string} tones @param {Payload} [options] */
  dtmf(tones, options) {
    return this.signaling.request("dtmf", { ...options, tones });
  }

  /** @param {string} to @param {Payload} payload handed on as it is */
  sendSignal(to, payload) {
    return this.signaling.request("signal", { ...payload, to });
  }

  /** @param {string} action @param {string} target @param {string} [reason] */
  moderate(action, target, reason) {
    return this.signaling.request("moderate", { action, target, reason });
  }

  /** Finds the way to the server anew; streams and keys stay. */
  restartIce() {
    return this.#negotiate(true);
  }

  /** The browser's own numbers (W3C webrtc-stats). */
  statistics() {
    return this.#media?.peer.getStats();
  }

  // How we get in, and in again.

  /** One try: until we are in the room again, or an error. */
  async #enter() {
    if (!this.#token) this.#token = typeof this.tokenSource === "function" ? await this.tokenSource() : this.tokenSource;
    if (this.#ended) {
      this.microphone.close();
      throw new ParleyError("client_initiated", "You left before the join was complete.");
    }
    const welcome = await this.signaling.open(this.#token);
    if (welcome.resumed) return this.#resumed();
    if (!this.signaling.anew) return; // joined follows by itself
    const { displayName, password, invite } = this.options;
    await this.signaling.request("join", { room: this.room, display_name: displayName, password, invite, capabilities: {} });
  }

  /** Back on the same session: set right what changed in between. */
  #resumed() {
    this.#setSpeakers([]);
    this.#applyWishes();
    if (!this.#media?.connected || this.#media.peer.signalingState !== "stable") this.#negotiate(true);
    this.#show();
  }

  /** @param {ParleyError} error */
  async #lost(error) {
    if (this.#ended || this.#retrying) return;
    if (FINAL.has(error.code)) return this.#end(error.code);
    this.#retrying = true;
    this.#show();
    const luck = Math.random();
    let spent = 0;
    for (let attempt = 0; !this.#ended; attempt++) {
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, Math.max(backOff(0, luck), backOff(attempt, luck) - spent));
        this.#wake = () => (clearTimeout(timer), resolve(undefined));
      });
      if (this.#ended) break;
      const resuming = this.signaling.resumable;
      const began = performance.now();
      try {
        await this.#enter();
        break;
      } catch (/** @type {any} */ refused) {
        spent = performance.now() - began;
        if (resuming && !this.signaling.resumable) continue; // not that session: a new one
        const another = TOKEN_REFUSED.has(refused.code) && typeof this.tokenSource === "function" && attempt < 5;
        if (another) this.#token = "";
        else if (FINAL.has(refused.code)) this.#end(refused.code);
      }
    }
    this.#retrying = false;
  }

  /** @param {string} reason */
  #end(reason) {
    if (this.#ended) return;
    this.#ended = true;
    removeEventListener("pagehide", this.#leaveOnHide);
    removeEventListener("online", this.#wakeOnline);
    clearInterval(this.#levelTimer);
    clearTimeout(this.#blockedTimer);
    clearTimeout(this.#mediaTimer);
    this.#wake();
    this.signaling.close(true);
    this.#media?.close();
    this.#output.close();
    this.microphone.close();
    this.#show(reason);
  }

  // What the server says.

  /** @param {string} type @param {Payload} payload */
  #hear(type, payload) {
    if (this.#ended) return;
    switch (type) {
      case "call-state-changed":
        this.call = payload.call;
        break;
      case "joined":
      case "moved":
        this.call = payload.call;
        this.room = this.signaling.room = payload.room;
      // falls through
      case "participants":
        this.participants = new Map(payload.participants.map((/** @type {Participant} */ one) => [one.id, one]));
        if (type === "joined") this.#joined(payload);
        break;
      case "participant-joined":
      case "participant-updated":
        this.participants.set(payload.participant.id, payload.participant);
        break;
      case "participant-left":
        if (payload.participant === this.#id) {
          return this.#reconnect({ action: FINAL.has(payload.reason) ? "disconnect" : "reconnect", reason: payload.reason });
        }
        this.participants.delete(payload.participant);
        break;
      case "slots":
        return this.#setSlots(payload.slots);
      case "speakers":
        return this.#setSpeakers(payload.speakers);
      case "token":
        this.#token = payload.token;
        break;
      case "endpoint-gone":
        return void this.#renewMedia();
      case "reconnect":
        return this.#reconnect(payload);
      case "error":
        return this.#emit("error", new ParleyError(payload.code, payload.message, payload.details));
      case "moderated":
      case "media":
      case "message":
      case "signal":
      case "dtmf":
        break;
      default:
        return; // an answer, or something newer than this SDK
    }
    this.#emit(type, payload);
  }

  /** @param {Payload} payload */
  #joined({ participant, ice_servers, limits }) {
    const again = participant.id === this.#id;
    this.#id = participant.id;
    this.#iceServers = ice_servers;
    this.limits = limits;
    this.#setSpeakers([]);
    this.#applyWishes();
    if (!again || !this.#media?.connected) this.#renewMedia();
    this.#show();
  }

  /** @param {Payload} payload */
  #reconnect({ action, reason }) {
    if (action === "disconnect") return this.#end(reason);
    this.signaling.close(action === "reconnect");
    this.#lost(new ParleyError("connection_lost", reason));
  }

  /** What the person wants holds on a new session too. */
  #applyWishes() {
    const me = this.me;
    const wish = (/** @type {any} */ is, /** @type {any} */ on, /** @type {string} */ type) =>
      is !== on && this.signaling.send((on ? "" : "un") + type, {});
    wish(me?.self_mute, this.#muted, "mute");
    wish(me?.self_deaf, this.#deafened, "deafen");
    wish(me?.held, this.#held, "hold");
  }

  /** @param {boolean} on @param {string} type */
  async #tell(on, type) {
    if (this.signaling.up) await this.signaling.request((on ? "" : "un") + type);
  }

  /** @param {boolean} on */
  #setDeaf(on) {
    this.#deafened = on;
    this.#output.setDeaf(on);
    return this.#tell(on, "deafen");
  }

  /** @param {Slot[]} slots */
  #setSlots(slots) {
    const lines = new Map(this.#media?.lines.map((line) => [line.mid, line.receiver.track]));
    this.slots = slots.map((slot) => ({ ...slot, track: lines.get(slot.mid) }));
    this.#applyGains();
    this.#emit("slots", { slots: this.slots });
  }

  /** @param {Speaker[]} speakers */
  #setSpeakers(speakers) {
    this.speakers = speakers;
    this.#emit("speakers", { speakers });
  }

  #applyGains() {
    // An empty slot stays open: the first syllable may come before the message that names its speaker.
    for (const slot of this.slots) {
      this.#output.setGain(slot.mid, slot.participant ? slot.gain * this.volume(slot.participant) : 1);
    }
  }

  #applyGate() {
    if (this.microphone.track) this.microphone.track.enabled = !this.#muted && this.#gate;
  }

  /** @param {MediaTrackConstraints} [changes] */
  async #changeMicrophone(changes) {
    try {
      await this.microphone.open(changes);
    } catch (error) {
      this.#emit("error", error);
      throw error;
    }
    if (this.#ended) return this.microphone.close();
    this.#applyGate();
    await this.#media?.sender.replaceTrack(this.microphone.track);
  }

  // The peer connection.

  #renewMedia() {
    this.#media?.close();
    this.#turn = Promise.resolve(); // a closed peer connection never answers
    this.#output.detach();
    this.#applyGate();
    const media = new Media(this.options.slots ?? this.limits.slots ?? 8, this.#iceServers, this.microphone.track);
    this.#media = media;
    media.peer.onconnectionstatechange = () => this.#mediaChanged(media);
    if (this.options.trickle !== false) {
      media.peer.onicecandidate = ({ candidate }) => candidate && this.signaling.send("ice-candidate", candidate.toJSON());
    }
    return this.#negotiate(false);
  }

  /** One offer and its answer; never two at a time. @param {boolean} iceRestart */
  #negotiate(iceRestart) {
    const media = this.#media;
    this.#turn = this.#turn.then(async () => {
      if (!media || media !== this.#media || this.#ended) return;
      try {
        const fresh = media.peer.currentRemoteDescription === null;
        const sdp = await media.offer(iceRestart && !fresh);
        if (media !== this.#media) return;
        this.#watchMedia();
        if (fresh) this.#attach(media);
        const answer = await this.signaling.request("offer", { sdp });
        await media.accept(answer.sdp);
      } catch (/** @type {any} */ error) {
        // A lost connection is made good after the next resume.
        if (this.signaling.up && media === this.#media) {
          this.#emit("error", error instanceof ParleyError ? error : new ParleyError("media_failed", error.message));
        }
      }
    });
    return this.#turn;
  }

  /** @param {Media} media */
  #attach(media) {
    this.#output.detach();
    for (const line of media.lines) this.#output.attach(/** @type {string} */ (line.mid), line.receiver.track);
    this.#setSlots(this.slots);
  }

  /** @param {Media} media */
  #mediaChanged(media) {
    const state = media.peer.connectionState;
    if (state === "connected") {
      clearTimeout(this.#mediaTimer);
      this.#failures = 0;
      this.#unreachable = media.restarted = false;
    } else if (state === "disconnected") {
      // On a link that loses much it is over with the next check.
      return this.#mediaAfter(MEDIA_DOUBT, () => {
        this.#show();
        this.#mediaAfter(MEDIA_PATIENCE, () => this.#mendMedia(media));
      });
    } else if (state === "failed" || state === "closed") {
      this.#mendMedia(media);
    }
    this.#show();
  }

  /** First another way to the same endpoint, then another endpoint. @param {Media} media */
  #mendMedia(media) {
    if (media !== this.#media || media.connected || !this.signaling.up) return;
    if (media.restarted || ["failed", "closed"].includes(media.sender.transport?.state ?? "")) return void this.#renewMedia();
    media.restarted = true;
    this.#negotiate(true);
  }

  #watchMedia() {
    this.#mediaAfter(MEDIA_WITHIN + Math.min(this.#failures, 2) * MEDIA_WITHIN, () => {
      if (this.#media?.connected || !this.signaling.up) return;
      this.#failures++;
      if (!this.#unreachable) {
        this.#unreachable = true;
        this.#emit("error", new ParleyError("media_unreachable", "The server's media port is unreachable."));
      }
      this.#renewMedia();
    });
  }

  /** @param {number} delay @param {() => void} action */
  #mediaAfter(delay, action) {
    clearTimeout(this.#mediaTimer);
    this.#mediaTimer = window.setTimeout(action, delay);
  }

  /** Tells how things stand, if that is news. @param {string} [reason] */
  #show(reason) {
    const signaling = this.signaling.up && !this.#ended;
    const media = Boolean(this.#media?.connected) && !this.#ended;
    if (this.#ended) this.state = "disconnected";
    else if (signaling && media) this.state = "connected";
    else if (this.state !== "connecting") this.state = "reconnecting";
    const shown = `${this.state} ${signaling} ${media}`;
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#emit("state", { state: this.state, signaling, media, reason });
  }

  /** @param {string} name @param {unknown} detail */
  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

/**
 * Joins a room. Resolves once the server let us in and answered our offer; the `state` event tells when voice flows.
 * A microphone that is refused is no obstacle: you hear, and an `error` event says why you are not heard.
 * @param {string} url
 * @param {Token} token
 * @param {Options} options
 * @returns {Promise<Client>}
 */
export function connect(url, token, options) {
  return new Client(url, token, options).start();
}
