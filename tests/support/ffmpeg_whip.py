"""FFmpeg's own client of WHIP, in the build that PyAV brings along: a process of its own.

    python ffmpeg_whip.py <url> <token> <frequency> <certificate> <key>

It publishes a tone until its standard input ends, and then ends its session, as FFmpeg does at the end of a file. What
FFmpeg says stands on standard error.
"""

import sys
import threading
import time

import av
import av.logging
import numpy as np

RATE = 48_000
FRAME = 960


def tone(frequency, number):
    """20 ms of it."""
    samples = np.arange(number * FRAME, (number + 1) * FRAME)
    wave = 0.4 * np.sin(2 * np.pi * frequency * samples / RATE)
    frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]).astype("float32"), format="fltp", layout="stereo")
    frame.rate, frame.pts = RATE, number * FRAME
    return frame


def publish(url, frequency, options, over):
    """As `ffmpeg -re -i tone -c:a libopus -f whip -authorization TOKEN -cert_file FILE -key_file FILE URL`."""
    with av.open(url, "w", format="whip", options=options) as session:
        voice = session.add_stream("libopus", rate=RATE, layout="stereo")
        session.start_encoding()
        begun, number = time.monotonic(), 0
        while not over.wait(max(0.0, begun + number * FRAME / RATE - time.monotonic())):
            session.mux(voice.encode(tone(frequency, number)))
            number += 1


def obey(over):
    for _ in sys.stdin:
        pass
    over.set()


if __name__ == "__main__":
    av.logging.set_level(av.logging.INFO)
    end = threading.Event()
    threading.Thread(target=obey, args=(end,), daemon=True).start()
    named = dict(zip(("authorization", "cert_file", "key_file"), (sys.argv[2], *sys.argv[4:]), strict=True))
    publish(sys.argv[1], float(sys.argv[3]), {**named, "handshake_timeout": "20000"}, end)
