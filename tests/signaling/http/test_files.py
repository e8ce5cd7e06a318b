from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from signaling.http.files import WEB_ROOT, add_files, read_files


def make_site(root):
    (root / "page").mkdir()
    (root / "index.html").write_text("<!doctype html><title>é</title>")
    (root / "page" / "main.js").write_text("export {}")
    (root / "page" / "font.woff2").write_bytes(b"\x00")
    (root / "page" / "thing.xyz123").write_bytes(b"\x00")
    (root / ".secret").write_text("x")
    (root / "__pycache__").mkdir()
    (root / "__pycache__" / "a.pyc").write_text("x")
    return root


async def asked(root, *paths, **headers):
    app = web.Application()
    add_files(app, read_files(root))
    async with TestClient(TestServer(app)) as client:
        answers = []
        for path in paths:
            response = await client.get(path, headers=headers)
            answers.append((response, await response.read()))
        return answers


async def test_files_have_their_type_and_the_index_is_the_root(tmp_path):
    root, index, script, font, unknown = await asked(
        make_site(tmp_path), "/", "/index.html", "/page/main.js", "/page/font.woff2", "/page/thing.xyz123"
    )
    assert root[1] == index[1] == "<!doctype html><title>é</title>".encode()
    assert root[0].headers["Content-Type"] == "text/html; charset=utf-8"
    assert script[0].headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert font[0].headers["Content-Type"] == "font/woff2"
    assert unknown[0].headers["Content-Type"] == "application/octet-stream"
    assert root[0].headers["Cache-Control"] == "no-cache"


async def test_a_file_that_is_known_is_not_sent_again(tmp_path):
    make_site(tmp_path)
    ((first, _),) = await asked(tmp_path, "/page/main.js")
    ((again, body),) = await asked(tmp_path, "/page/main.js", **{"If-None-Match": first.headers["ETag"]})
    assert (again.status, body) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    ((other, _),) = await asked(tmp_path, "/page/main.js", **{"If-None-Match": '"other"'})
    assert other.status == 200


async def test_nothing_but_the_visible_files_can_be_asked_for(tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "outside.txt").write_text("x")
    answers = await asked(
        make_site(tmp_path / "site"),
        "/.secret",
        "/__pycache__/a.pyc",
        "/../outside.txt",
        "/%2e%2e/outside.txt",
        "/page/..%2f..%2foutside.txt",
        "/page/%00",
        "/page",
    )
    assert [response.status for response, _ in answers] == [404] * len(answers)


def test_an_absent_folder_has_no_files(tmp_path):
    assert read_files(tmp_path / "none") == {}
    add_files(web.Application(), {})


async def test_a_page_at_the_top_has_a_short_name_and_one_below_has_none(tmp_path):
    (tmp_path / "admin.html").write_text("admin")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "deep.html").write_text("deep")
    answers = await asked(tmp_path, "/admin", "/admin.html", "/below/deep", "/below/deep.html", "/")
    assert [(response.status, body) for response, body in answers[:2]] == [(200, b"admin")] * 2
    assert [response.status for response, _ in answers[2:]] == [404, 200, 404]


def test_our_own_pages_are_there():
    assert {"/index.html", "/admin.html", "/docs.html"} <= set(read_files(WEB_ROOT))
