import asyncio
import ssl

import pytest

from signaling.errors import BadSettings
from signaling.operating.tls import CertificateWatcher, make_context
from tests.signaling.certificates import make_certificate
from tests.support.patience import PATIENCE


@pytest.fixture
def files(tmp_path):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    make_certificate(certificate, key, "one.example")
    return certificate, key


async def name_seen(context: ssl.SSLContext) -> bytes:
    """The certificate that a real client is shown, in DER."""
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        trusting = ssl.create_default_context()
        trusting.check_hostname = False
        trusting.verify_mode = ssl.CERT_NONE
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        await reader.read()
        writer.close()
        await writer.wait_closed()
    return shown


async def test_a_client_sees_the_new_certificate_after_the_files_were_swapped(files, tmp_path):
    context = make_context(*files)
    watcher = CertificateWatcher(context, *files)
    first = await name_seen(context)
    assert b"one.example" in first
    assert not watcher.check()
    make_certificate(tmp_path / "c2", tmp_path / "k2", "two.example")
    (tmp_path / "c2").replace(files[0])
    assert not watcher.check(), "certificate and key do not fit yet"
    assert await name_seen(context) == first
    (tmp_path / "k2").replace(files[1])
    assert watcher.check()
    assert b"two.example" in await name_seen(context)


async def test_files_that_vanish_leave_the_certificate_in_place(files):
    context = make_context(*files)
    watcher = CertificateWatcher(context, *files)
    files[0].unlink()
    assert not watcher.check()
    assert b"one.example" in await name_seen(context)


async def test_it_looks_again_and_again_until_cancelled(files):
    watcher = CertificateWatcher(make_context(*files), *files)
    looked = asyncio.Event()
    watcher.check = lambda: looked.set() or False  # type: ignore[method-assign]
    task = asyncio.create_task(watcher.run(0.001))
    await asyncio.wait_for(looked.wait(), PATIENCE)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_old_tls_is_not_spoken(files):
    assert make_context(*files).minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("content", [None, "this is no PEM"])
def test_files_that_cannot_be_used_are_named(files, content):
    if content is None:
        files[1].unlink()
    else:
        files[1].write_text(content)
    with pytest.raises(BadSettings) as caught:
        make_context(*files)
    assert str(files[1]) in caught.value.what
    assert "PEM" in caught.value.remedy
