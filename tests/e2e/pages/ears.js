/** Evaluated in a page of the server: gives it a way into a call, and ears. Nothing of it is in the product. */
async () => {
  const { Client } = await import("/parley.js");

  const EVERY = 40;
  const FAINTEST = -60;
  const TOLERANCE = 25;

  /** Notes which tone is the loudest in each incoming line of the SDK, from the audio that the browser decoded. */
  class Ears {
    /** [time in ms, Hz, mid, which look] of every look at a line that was not silent. */
    tones = [];
    /** The time of every look. */
    looks = [];
    #context = new AudioContext();
    #analysers = new Map();
    #spectrum = new Float32Array(2048);

    constructor(client) {
      setInterval(() => this.#listen(client.slots), EVERY);
    }

    /** When a tone was the loudest in some line, after a time. */
    times(hz, since = 0) {
      return this.tones.filter(([at, heard]) => at > since && Math.abs(heard - hz) < TOLERANCE).map(([at]) => at);
    }

    /** The longest run of looks since a moment that found no tone, in ms. A look that the machine delays is one look. */
    longestGap(hz, since) {
      const found = new Set(this.tones.filter(([, heard]) => Math.abs(heard - hz) < TOLERANCE).map(([, , , look]) => look));
      let run = 0;
      let longest = 0;
      for (let look = this.looks.findIndex((at) => at > since); look < this.looks.length; look++) {
        run = found.has(look) ? 0 : run + 1;
        longest = Math.max(longest, run);
      }
      return longest * EVERY;
    }

    /** The share of looks since a moment that found a tone, 0 to 1. */
    share(hz, since) {
      return this.times(hz, since).length / this.looks.filter((at) => at > since).length;
    }

    #listen(slots) {
      const look = this.looks.push(performance.now()) - 1;
      for (const { mid, track } of slots) {
        if (!track) continue;
        const analyser = this.#analyser(track);
        analyser.getFloatFrequencyData(this.#spectrum);
        const peak = this.#spectrum.reduce((best, level, bin) => (level > this.#spectrum[best] ? bin : best), 0);
        if (this.#spectrum[peak] < FAINTEST) continue;
        this.tones.push([performance.now(), (peak * this.#context.sampleRate) / analyser.fftSize, mid, look]);
      }
    }

    #analyser(track) {
      if (!this.#analysers.has(track)) {
        const analyser = this.#context.createAnalyser();
        analyser.fftSize = this.#spectrum.length * 2;
        analyser.smoothingTimeConstant = 0;
        this.#context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
        this.#analysers.set(track, analyser);
      }
      return this.#analysers.get(track);
    }
  }

  const NOTED = ["state", "joined", "participant-joined", "participant-updated", "participant-left", "moderated", "message", "signal", "error"];
  const RAW = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };

  /** Takes part in a call; `events` has what happened in it. */
  window.join = async (token, options) => {
    window.events = [];
    window.client = new Client("/ws", token, { audio: RAW, ...options });
    for (const name of NOTED) {
      client.addEventListener(name, ({ detail }) => events.push({ name, at: performance.now(), ...detail, code: detail.code }));
    }
    window.ears = new Ears(client);
    await client.start();
    return client.me.id;
  };

  /** Waits until `holds` does. The page's policy allows no eval, on which Playwright's own waiting rests. */
  window.until = async (holds, milliseconds) => {
    const deadline = performance.now() + milliseconds;
    while (!(await holds())) {
      if (performance.now() > deadline) throw new Error(`Not within ${milliseconds} ms: ${account()}`);
      await new Promise((resolve) => setTimeout(resolve, EVERY));
    }
  };

  /** What a failed test wants to know. */
  const account = () => {
    const lines = client.slots.filter((slot) => slot.participant).map(({ mid, participant }) => `${mid}: ${participant}`);
    const heard = Map.groupBy(ears.tones.slice(-40), ([, hz, mid]) => `${Math.round(hz)} Hz in ${mid}`);
    const tones = [...heard].map(([tone, looks]) => `${tone} ${looks.length} times`);
    return `${client.state}; slots ${lines.join(", ")}; heard lately ${tones.join(", ")}; ${JSON.stringify(events.slice(-6))}`;
  };

  /** How often the SDK has tried to open a WebSocket. */
  window.tries = 0;
  const Plain = WebSocket;
  window.WebSocket = class extends Plain {
    constructor(...given) {
      super(...given);
      tries++;
    }
  };

  /** The peer connections that the SDK made. */
  window.peers = [];
  const setLocalDescription = RTCPeerConnection.prototype.setLocalDescription;
  RTCPeerConnection.prototype.setLocalDescription = function (description) {
    if (!peers.includes(this)) peers.push(this);
    return setLocalDescription.call(this, description);
  };

  /** The user name fragments of the way that media takes now, ours and the server's. */
  window.iceNames = async () => {
    const report = [...(await client.statistics()).values()];
    const transport = report.find((one) => one.type === "transport");
    const pair = report.find((one) => one.id === transport.selectedCandidatePairId);
    const remote = report.find((one) => one.id === pair.remoteCandidateId);
    return [transport.iceLocalUsernameFragment, remote.usernameFragment];
  };

  /** What the server last told us of how much of our voice is lost, 0 to 1. */
  window.toldLoss = async () => {
    const report = [...(await client.statistics()).values()];
    return Math.max(0, ...report.filter((one) => one.type === "remote-inbound-rtp").map((one) => one.fractionLost));
  };

  const lineOf = (participant) => client.slots.find((slot) => slot.participant === participant);

  /** What the browser says of the stream in which somebody is heard (W3C webrtc-stats, inbound-rtp). */
  window.reception = async (participant) => {
    const report = [...(await client.statistics()).values()];
    const line = report.find((one) => one.type === "inbound-rtp" && one.mid === lineOf(participant).mid);
    const names = ["packetsReceived", "packetsLost", "fecPacketsReceived", "concealedSamples", "totalSamplesReceived"];
    return Object.fromEntries(names.map((name) => [name, line?.[name] ?? 0]));
  };

  /** How many packets of our microphone were sent: 50 a second, a clock that stands while the machine does. */
  window.packetsSent = async () =>
    [...(await client.statistics()).values()].find((one) => one.type === "outbound-rtp").packetsSent;

  window.notes = {};

  /** Begins to note the root mean square of each 10 ms of a voice, ours too, from every sample that there is of it. */
  window.note = (participant, count) => {
    const track = participant === client.me.id ? client.microphone.track : lineOf(participant).track;
    // Room for all of it: what a busy page is late to read would be dropped.
    const processor = new MediaStreamTrackProcessor({ track, maxBufferSize: count });
    notes[participant] = envelope(processor.readable.getReader(), count);
  };

  const envelope = async (reader, count) => {
    const levels = [];
    while (levels.length < count) {
      const { value } = await reader.read();
      const samples = new Float32Array(value.numberOfFrames);
      value.copyTo(samples, { planeIndex: 0, format: "f32-planar" });
      const step = value.sampleRate / 100;
      value.close();
      for (let first = 0; first + step <= samples.length; first += step) {
        const part = samples.subarray(first, first + step);
        levels.push(Math.sqrt(part.reduce((sum, sample) => sum + sample * sample, 0) / step));
      }
    }
    await reader.cancel();
    return levels;
  };

  /** Sends media to another port of the server's address than the answer says: a relay. */
  window.relayTo = (port) => {
    const original = RTCPeerConnection.prototype.setRemoteDescription;
    RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
      return original.call(this, { type, sdp: sdp.replace(/^(a=candidate:(?:\S+ ){5})\d+/gm, `$1${port}`) });
    };
  };
};
