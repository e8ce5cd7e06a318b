// A client of WHIP (RFC 9725) in a few lines: it uses nothing of ours.
let peer, resource, token;

const attribute = (sdp, name) => sdp.match(new RegExp(`^a=${name}:(.*)$`, "m"))[1].trim();

async function send(method, url, body, type, match) {
  const headers = { Authorization: `Bearer ${token}`, ...(type && { "Content-Type": type }), ...(match && { "If-Match": match }) };
  const answer = await fetch(url, { method, headers, body });
  return { status: answer.status, text: await answer.text(), headers: answer.headers };
}

// As OBS does: a voice and a picture, in one offer.
async function publish(endpoint, given) {
  token = given;
  const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
  peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  peer.addTransceiver(microphone.getAudioTracks()[0], { direction: "sendonly", streams: [microphone] });
  peer.addTransceiver("video", { direction: "sendonly", streams: [microphone] });
  await peer.setLocalDescription();
  const answer = await send("POST", endpoint, peer.localDescription.sdp, "application/sdp");
  if (answer.status !== 201) return answer.text;
  resource = answer.headers.get("Location");
  await peer.setRemoteDescription({ type: "answer", sdp: answer.text });
  return "";
}

function directions() {
  return peer.getTransceivers().map((one) => one.currentDirection);
}

// Resolves once packets go over the ICE session of this name.
async function connectedAs(name) {
  for (;;) {
    const transport = [...(await peer.getStats()).values()].find((one) => one.type === "transport");
    if (transport.iceLocalUsernameFragment === name && transport.iceState === "connected") return transport.dtlsState;
    await new Promise(requestAnimationFrame);
  }
}

// RFC 9725 section 4.3.3: the two ends exchange fragments; all else of the descriptions stays.
async function restart() {
  const before = peer.remoteDescription.sdp;
  peer.restartIce();
  await peer.setLocalDescription();
  const mine = peer.localDescription.sdp;
  const fragment = ["m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=mid:0", `a=ice-ufrag:${attribute(mine, "ice-ufrag")}`, `a=ice-pwd:${attribute(mine, "ice-pwd")}`, ""];
  const answer = await send("PATCH", resource, fragment.join("\r\n"), "application/trickle-ice-sdpfrag", "*");
  if (answer.status !== 200) throw new Error(answer.text);
  const theirs = before
    .replace(/^a=ice-ufrag:.*$/gm, `a=ice-ufrag:${attribute(answer.text, "ice-ufrag")}`)
    .replace(/^a=ice-pwd:.*$/gm, `a=ice-pwd:${attribute(answer.text, "ice-pwd")}`);
  await peer.setRemoteDescription({ type: "answer", sdp: theirs });
  return attribute(mine, "ice-ufrag");
}

async function end() {
  return (await send("DELETE", resource)).status;
}
