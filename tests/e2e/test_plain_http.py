"""A browser whose WebSocket is blocked on the way: it signals over plain HTTP, and its people hear no difference."""

from tests.e2e.conftest import People
from tests.support.background import Background
from tests.support.server import ServerProcess
from tests.support.tcp_proxy import TcpProxy

CARRIERS = """
(() => {
  window.sockets = [];
  window.requests = [];
  const Real = WebSocket;
  window.WebSocket = class extends Real {
    constructor(url, protocols) {
      super(window.blocked ? `${url}/blocked` : url, protocols);
      sockets.push(this);
    }
  };
  const real = fetch;
  window.fetch = (url, options) => {
    const path = String(url).split("/api/v1/rooms/")[1]?.split("/")[1];
    if (path) requests.push([path, options.headers["Last-Event-ID"]]);
    return real(url, options);
  };
})();
"""
"""Notes what is tried; while `blocked`, the handshake of every WebSocket is refused."""

HANGING = """
window.WebSocket = class extends EventTarget {
  static tried = 0;
  readyState = 0;
  constructor() {
    super();
    WebSocket.tried++;
  }
  close() {}
};
"""
"""WebSockets that never open, and never fail."""

BLOCKED = f"window.blocked = true; {CARRIERS}"


def test_a_blocked_websocket_falls_back_to_plain_http(server: ServerProcess, people: People) -> None:
    ana, ben = people("Ana", "Ben")
    ana.page.add_init_script(BLOCKED)
    ana.join(server.url, "fallback")
    assert ana.call("sockets.length") == 2, "a WebSocket is tried twice"
    ben.join(server.url, "fallback")
    ana.hears(ben)
    ben.hears(ana)
    ben.call("client.mute()")
    ana.until("client.participants.get(given).self_mute", ben.id)
    ana.hears_no_longer(ben)
    ana.call("client.mute()")
    ben.until("client.participants.get(given).self_mute", ana.id)
    ana.call("client.sendMessage('over HTTP')")
    ben.until("events.some((one) => one.name === 'message' && one.body === 'over HTTP')")
    ana.call("id => client.sendMessage('for you', { to: id })", ben.id)
    ben.until("events.some((one) => one.body === 'for you' && one.to === given)", ben.id)
    ben.call("id => client.sendSignal(id, { kind: 'offer', sdp: 'v=0' })", ana.id)
    ana.until("events.some((one) => one.name === 'signal' && one.kind === 'offer' && one.from === given)", ben.id)
    refused = ana.call("(id) => client.moderate('kick', id).catch((error) => error.code)", ben.id)
    assert refused == "forbidden"
    assert ana.events("error") == []
    ana.call("client.leave()")
    ben.until("events.some((one) => one.name === 'participant-left' && one.reason === 'client_initiated')")


def test_a_websocket_that_never_opens_falls_back_too(server: ServerProcess, people: People) -> None:
    ana, ben = people("Ana", "Ben")
    ana.page.add_init_script(HANGING)
    ana.join(server.url, "hanging")
    ben.join(server.url, "hanging")
    assert ana.call("WebSocket.tried") == 2
    ana.hears(ben)
    ben.hears(ana)


def test_a_cut_stream_is_opened_again_and_misses_nothing(
    server: ServerProcess, people: People, proxy: TcpProxy, background: Background
) -> None:
    ana, ben = people("Ana", "Ben")
    ana.page.add_init_script(BLOCKED)
    ana.join(f"http://127.0.0.1:{proxy.port}", "cut")
    ben.join(server.url, "cut")
    ana.hears(ben)
    ben.hears(ana)
    since = ben.now()
    background.run(proxy.cut(reset=True))
    for number in range(20):
        ben.call("(text) => client.sendMessage(text)", f"message {number}")
    ana.until("events.filter((one) => one.name === 'message').length >= 20")
    assert [one["body"] for one in ana.events("message")] == [f"message {number}" for number in range(20)]
    opened = ana.call("requests.filter(([path]) => path === 'events').map(([, last]) => Number(last))")
    assert len(opened) >= 2
    assert opened == sorted(opened)
    assert len(ana.events("joined")) == 1
    assert ben.longest_gap(ana, since) < 0.5
    assert ben.events("participant-left") == []


def test_a_line_that_is_lost_resumes_over_a_websocket_once_that_is_open(
    server: ServerProcess, people: People, proxy: TcpProxy, background: Background
) -> None:
    ana, ben = people("Ana", "Ben")
    ana.page.add_init_script(BLOCKED)
    ana.join(f"http://127.0.0.1:{proxy.port}", "returns")
    ben.join(server.url, "returns")
    ana.hears(ben)
    background.run(proxy.cut(reset=True, refuse=True))
    ana.until("client.state === 'reconnecting'")
    ben.call("client.sendMessage('meanwhile')")
    ana.call("() => { window.blocked = false; }")
    background.run(proxy.accept())
    ana.until("client.state === 'connected'")
    ana.until("events.some((one) => one.name === 'message' && one.body === 'meanwhile')")
    assert ana.call("sockets.at(-1).readyState") == 1
    assert ana.call("client.me.id") == ana.id
    assert len(ana.events("joined")) == 1
    ana.hears(ben)
    ben.hears(ana)


def test_a_websocket_that_is_blocked_in_mid_call_resumes_over_plain_http(
    server: ServerProcess, people: People, proxy: TcpProxy, background: Background
) -> None:
    ana, ben = people("Ana", "Ben")
    ana.page.add_init_script(CARRIERS)
    ana.join(f"http://127.0.0.1:{proxy.port}", "later")
    ben.join(server.url, "later")
    ana.hears(ben)
    ana.call("() => { window.blocked = true; }")
    background.run(proxy.cut(reset=True))
    ana.until("client.state === 'reconnecting'")
    ana.until("client.state === 'connected'")
    assert ana.call("requests.some(([path]) => path === 'events')")
    assert ana.call("client.me.id") == ana.id
    assert len(ana.events("joined")) == 1
    ana.hears(ben)
    ben.hears(ana)
