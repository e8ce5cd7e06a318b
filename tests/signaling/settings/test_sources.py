import pytest

from signaling.settings.settings import load_settings
from signaling.settings.sources import Written, from_environment, from_flags, from_mapping, unused_variables

FIELDS = ("host", "port", "media_port", "stun_servers")


def test_a_bare_name_works_and_the_prefixed_one_wins():
    found, unknown = from_environment({"SERVER_PORT": "1", "SERVER_HOST": "h", "PARLEY_HOST": "p"}, FIELDS)
    assert found == {"port": Written("1", "SERVER_PORT"), "host": Written("p", "PARLEY_HOST")}
    assert not unknown


@pytest.mark.parametrize(("bare", "value"), [("RATE_LIMIT_RPM", 7), ("CORS_ORIGINS", ("https://game.example",))])
def test_bare_names_of_the_field_reach_their_setting(bare, value):
    written = value if isinstance(value, int) else ",".join(value)
    settings = load_settings(environment={bare: str(written), "PARLEY_DEV": "1"})
    assert value in (settings.rate_limit_rpm, settings.allowed_origins)


def test_of_several_bare_names_the_first_one_of_the_table_wins():
    found, _ = from_environment({"STUN_URL": "c", "STUN_SERVER": "b", "STUN_SERVERS": "a"}, FIELDS)
    assert found["stun_servers"] == Written("a", "STUN_SERVERS")


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [(":81", None, "81"), ("h:81", "h", "81"), ("[::1]:81", "::1", "81"), ("[::1]", "::1", None), ("h", "h", None)],
)
def test_server_addr_is_host_and_port(address, host, port):
    found, _ = from_environment({"SERVER_ADDR": address}, FIELDS)
    assert found.get("host", Written(None, "")).value == host
    assert found.get("port", Written(None, "")).value == port


def test_server_host_wins_over_server_addr():
    found, _ = from_environment({"SERVER_ADDR": "a:1", "SERVER_HOST": "b"}, FIELDS)
    assert found["host"].value == "b"
    assert found["port"].value == "1"


def test_an_empty_variable_counts_as_not_set():
    assert from_environment({"PARLEY_HOST": "", "SERVER_PORT": ""}, FIELDS) == ({}, [])


def test_a_bare_name_whose_setting_does_not_exist_is_left_alone():
    assert from_environment({"JWT_SECRET": "x"}, FIELDS) == ({}, [])


def test_unknown_prefixed_names_are_found_with_the_nearest():
    _, unknown = from_environment({"PARLEY_HOTS": "1", "PARLEY_CONFIG": "x", "PARLEY_QQQQQQQ": "1"}, FIELDS)
    assert [(one.name, one.nearest) for one in unknown] == [("PARLEY_HOTS", "PARLEY_HOST"), ("PARLEY_QQQQQQQ", "")]


def test_nested_and_flat_keys_are_the_same():
    assert from_mapping({"media": {"port": 1}}, FIELDS, "f")[0]["media_port"] == Written(1, "media.port in f")
    assert from_mapping({"media_port": 1, "host": None}, FIELDS, "f")[0] == {
        "media_port": Written(1, "media_port in f")
    }


def test_keys_that_are_no_text_are_named_too():
    assert from_mapping({1: 2}, FIELDS, "f")[1][0].name == "1"


def test_flags_not_given_do_not_count():
    assert from_flags({"host": None, "media_port": 1}, FIELDS) == ({"media_port": Written(1, "--media-port")}, [])


def test_unused_variables_are_listed():
    assert unused_variables({"REDIS_URL": "x", "TURN_URL": ""}) == ["REDIS_URL"]
