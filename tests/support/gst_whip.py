"""GStreamer's webrtcbin as a client of WHIP and WHEP: a process of its own, run by the system's Python.

    python3 gst_whip.py publish <url> <token> <frequency>
    python3 gst_whip.py listen <url> <token>

It says on standard error, a line each, what was answered; `listen` writes what it hears to standard output, as mono
16-bit samples at 48 kHz. The end of standard input ends the session.
"""

import sys
import threading
import urllib.error
import urllib.parse
import urllib.request

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

OPUS = "application/x-rtp,media=audio,encoding-name=OPUS,payload=96,clock-rate=48000,encoding-params=(string)2"
VOICE = (
    "audiotestsrc is-live=true wave=sine freq={} volume=0.4 ! audio/x-raw,rate=48000,channels=2 ! opusenc"
    " ! rtpopuspay pt=96 ! application/x-rtp,media=audio,encoding-name=OPUS,payload=96 ! queue"
)
EARS = "rtpopusdepay ! opusdec ! audioconvert ! audio/x-raw,format=S16LE,channels=1,rate=48000 ! fdsink fd=1 sync=false"


class Client:
    """One session: an offer by POST, candidates by PATCH, its end by DELETE."""

    def __init__(self, way, url, token, frequency="0"):
        self.url = url
        self.token = token
        self.resource = ""
        self.tag = ""
        self.offer = ""
        self.waiting = []
        self.pipeline = Gst.Pipeline()
        self.peer = Gst.ElementFactory.make("webrtcbin", "peer")
        self.peer.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        self.pipeline.add(self.peer)
        self.peer.connect("on-ice-candidate", lambda _, line, text: GLib.idle_add(self.candidate, line, text))
        self.peer.connect("notify::connection-state", lambda *_: self.tell_state())
        if way == "listen":
            only = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
            self.peer.emit("add-transceiver", only, Gst.Caps.from_string(OPUS))
            self.peer.connect("pad-added", lambda _, pad: self.listen(pad))
        else:
            voice = Gst.parse_bin_from_description(VOICE.format(frequency), True)
            self.pipeline.add(voice)
            voice.link(self.peer)
            line = self.peer.emit("get-transceiver", 0)
            line.set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
        self.pipeline.set_state(Gst.State.PLAYING)
        self.make_offer()

    def make_offer(self):
        """A first offer."""
        self.peer.emit("create-offer", None, Gst.Promise.new_with_change_func(self.offered))

    def offered(self, promise):
        # The description is the reply's, and gone with it.
        reply = promise.get_reply()
        offer = reply.get_value("offer")
        self.peer.emit("set-local-description", offer, None)
        self.offer = offer.sdp.as_text()
        GLib.idle_add(self.post)

    def post(self):
        status, headers, body = self.ask("POST", self.url, self.offer, "application/sdp")
        tell(f"POST {status}")
        if status != 201:
            tell(body)
            loop.quit()
            return
        self.resource = urllib.parse.urljoin(self.url, headers["Location"])
        self.tag = headers["ETag"]
        _, answer = GstSdp.SDPMessage.new_from_text(body)
        described = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, answer)
        self.peer.emit("set-remote-description", described, None)
        for line, text in self.waiting:
            self.candidate(line, text)

    def candidate(self, line, text):
        if not self.resource:
            self.waiting.append((line, text))
            return
        named = [one for one in self.offer.splitlines() if one.startswith(("a=ice-ufrag:", "a=ice-pwd:", "a=mid:"))]
        parts = [*dict.fromkeys(named), *([f"a={text}"] if text else ["a=end-of-candidates"])]
        media = f"m=audio 9 UDP/TLS/RTP/SAVPF 96\r\n{parts[0]}"
        fragment = "\r\n".join([media, *parts[1:], ""])
        status, _, _ = self.ask("PATCH", self.resource, fragment, "application/trickle-ice-sdpfrag", self.tag)
        tell(f"PATCH {status}")

    def listen(self, pad):
        ears = Gst.parse_bin_from_description(EARS, True)
        self.pipeline.add(ears)
        ears.sync_state_with_parent()
        pad.link(ears.get_static_pad("sink"))

    def end(self):
        status, _, _ = self.ask("DELETE", self.resource)
        tell(f"DELETE {status}")
        self.pipeline.set_state(Gst.State.NULL)
        loop.quit()

    def ask(self, method, url, body=None, kind=None, tag=None):
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": kind, "If-Match": tag}
        given = {name: value for name, value in headers.items() if value is not None}
        data = None if body is None else body.encode()
        request = urllib.request.Request(url, data, given, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    def tell_state(self):
        tell(f"peer {self.peer.get_property('connection-state').value_nick}")


def tell(line):
    print(line, file=sys.stderr, flush=True)


def obey(client):
    for _ in sys.stdin:
        pass
    GLib.idle_add(client.end)


if __name__ == "__main__":
    Gst.init(None)
    loop = GLib.MainLoop()
    client = Client(*sys.argv[1:])
    threading.Thread(target=obey, args=(client,), daemon=True).start()
    loop.run()
