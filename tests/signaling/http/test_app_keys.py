from signaling.http import app_keys
from tests.signaling.serving import served


async def test_every_key_is_filled_but_those_of_tls_and_of_other_issuers(tmp_path):
    names = [name for name in vars(app_keys) if name.isupper()]
    async with served(tmp_path) as server:
        filled = {name for name in names if getattr(app_keys, name) in server.app}
    assert filled == set(names) - {"TLS", "KEY_SET"}
