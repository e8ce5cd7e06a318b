import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from signaling.errors import BadSettings, Refusal
from signaling.settings.reference import reference, rows
from signaling.settings.settings import SECRETS, Settings, load_settings, secret_of, warnings_about

SECRET = "Zk3-9vQ_8sLw2Xy7Rt5Bn1Mc4Hd6Gf0Pa"
DOCS = Path(__file__).parents[3] / "docs" / "settings.md"


def load(flags=None, config=None, serving=True, **environment):
    environment = {"PARLEY_JWT_SECRET": SECRET, "PARLEY_HOST": "127.0.0.1", **environment}
    return load_settings(flags, environment=environment, config=config, serving=serving)


def refused(flags=None, config=None, **environment) -> BadSettings:
    with pytest.raises(BadSettings) as caught:
        load(flags, config, **environment)
    assert caught.value.exit_code == 2
    assert caught.value.remedy
    return caught.value


def test_a_flag_wins_over_the_environment_and_that_over_the_file_and_that_over_the_default(tmp_path):
    file = tmp_path / "parley.yaml"
    file.write_text("port: 1001\nmedia:\n  port: 1002\nslots: 4\nlog_level: INFO\n")
    settings = load({"port": 3001, "host": None}, file, PARLEY_PORT="2001", PARLEY_MEDIA_PORT="2002")
    assert (settings.port, settings.media_port, settings.slots, settings.max_participants) == (3001, 2002, 4, 200)


def test_the_file_may_be_named_by_the_environment(tmp_path):
    file = tmp_path / "parley.yaml"
    file.write_text("slots: 3\ntrusted_proxies: [10.0.0.0/8]\n")
    settings = load(PARLEY_CONFIG=str(file))
    assert settings.slots == 3
    assert str(settings.trusted_proxies[0]) == "10.0.0.0/8"


def test_an_empty_file_is_no_settings(tmp_path):
    file = tmp_path / "parley.yaml"
    file.write_text("# nothing yet\n")
    assert load(config=file).slots == 8


def test_settings_are_frozen_and_read_no_environment_by_themselves(monkeypatch):
    monkeypatch.setenv("PARLEY_SLOTS", "3")
    monkeypatch.setenv("SLOTS", "4")
    settings = Settings()
    assert settings.slots == 8
    with pytest.raises(ValidationError):
        settings.slots = 9


def test_an_unknown_variable_names_the_nearest_one():
    error = refused(PARLEY_MEDIA_PROT="1")
    assert "PARLEY_MEDIA_PROT" in error.what
    assert "PARLEY_MEDIA_PORT" in error.remedy


def test_an_unknown_key_of_the_file_names_the_nearest_one(tmp_path):
    file = tmp_path / "parley.yaml"
    file.write_text("media: {prot: 1}\nzzzzzz: 1\n")
    error = refused(config=file)
    assert "media.prot in" in error.what
    assert "zzzzzz" in error.what
    assert "media_port instead of media.prot" in error.remedy


def test_an_unknown_flag_is_refused():
    assert "slotz" in refused({"slotz": 3}).what


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("PARLEY_PORT", "http", "port = 'http' (PARLEY_PORT)"),
        ("PARLEY_PORT", "70000", "less than or equal to 65535"),
        ("SERVER_PORT", "x", "SERVER_PORT"),
        ("PARLEY_LOG_LEVEL", "loud", "'debug', 'info'"),
        ("PARLEY_MEDIA_BIND", "example.org", "not an IP address"),
        ("PARLEY_PUBLIC_ADDRESS", "my.host", "not an IP address"),
        ("PARLEY_TRUSTED_PROXIES", "10.0.0.0/8, here", "not a network"),
        ("PARLEY_ALLOWED_ORIGINS", "*", "* is not allowed"),
        ("PARLEY_STUN_SERVERS", "turn:x", "write a STUN server like"),
        ("PARLEY_READ_TIMEOUT", "soon", "10s, 1m30s"),
        ("PARLEY_READ_TIMEOUT", "0", "greater than 0"),
        ("PARLEY_DUPLICATE_IDENTITY", "both", "'kick_old' or 'reject_new'"),
        ("PARLEY_JWKS_URL", "http://id.example/keys", "must be https"),
        ("PARLEY_JWKS_URL", "file:///etc/keys", "must be https"),
        ("PARLEY_JWKS_URL", "https://user:pass@id.example/keys", "must be https"),
        ("PARLEY_JWT_PUBLIC_KEYS", "=key.pem", "kid=path"),
        ("PARLEY_JWT_PUBLIC_KEYS", "kid=", "kid=path"),
    ],
)
def test_a_bad_value_is_named_with_its_key_and_where_it_stands(name, value, says):
    error = refused(**{name: value})
    assert says in str(error)


def test_a_secret_is_never_repeated():
    assert "hunter2" not in str(refused(PARLEY_JWT_SECRET="hunter2"))
    assert "hunter2" not in str(load(PARLEY_JWT_SECRET=SECRET + "hunter2"))
    assert load().masked()["jwt_secret"] == "(set)"
    assert Settings().masked()["jwt_secret"] == "(not set)"
    error = refused({"jwt_secret": ["hunter2"]})
    assert "hunter2" not in str(error)


@pytest.mark.parametrize("secret", ["", "too-short", "a" * 64, "your-super-secret-jwt-key-change-in-production"])
def test_without_dev_a_missing_short_or_well_known_secret_is_refused(secret):
    error = refused(PARLEY_JWT_SECRET=secret)
    assert "secret" in error.what
    assert "openssl rand" in error.remedy


def test_dev_needs_no_secret_and_refuses_a_weak_one():
    assert load(PARLEY_DEV="true", PARLEY_JWT_SECRET="").dev
    refused(PARLEY_DEV="true", PARLEY_JWT_SECRET="short")


def test_public_keys_need_no_secret_and_refuse_a_weak_one(tmp_path):
    settings = load(PARLEY_JWT_SECRET="", PARLEY_JWT_PUBLIC_KEYS="a=a.pem, b.pem", PARLEY_DATA_DIR=str(tmp_path))
    assert settings.jwt_public_keys == ("a=a.pem", "b.pem")
    assert secret_of(settings) == secret_of(settings)
    assert (tmp_path / "signing_secret").stat().st_mode & 0o777 == 0o600
    assert load(PARLEY_JWT_SECRET="", PARLEY_JWKS_FILE="keys.json").has_public_keys
    for url in ("https://id.example/keys", "http://localhost:9000/keys", "http://127.0.0.1/keys"):
        assert load(PARLEY_JWT_SECRET="", PARLEY_JWKS_URL=url).jwks_url == url
    refused(PARLEY_JWT_SECRET="short", PARLEY_JWKS_FILE="keys.json")


def test_one_key_set_is_enough():
    assert "both" in refused(PARLEY_JWKS_FILE="keys.json", PARLEY_JWKS_URL="https://id.example/keys").what


def test_public_keys_without_issuer_and_audience_are_worth_a_warning():
    said = warnings_about(load(PARLEY_JWKS_FILE="keys.json"), {})
    assert "token_audience" in said[0]
    assert warnings_about(load(PARLEY_JWKS_FILE="keys.json", PARLEY_TOKEN_AUDIENCE="parley"), {}) == []


def test_dev_listens_on_loopback_only():
    settings = load({"dev": True}, PARLEY_HOST="")
    assert settings.http_hosts == ("127.0.0.1", "::1")
    assert settings.loopback_only
    assert "loopback" in refused({"dev": True}, PARLEY_HOST="0.0.0.0").why
    assert load({"dev": True}, PARLEY_HOST="localhost").http_hosts == ("localhost",)


def test_plain_http_for_others_must_be_wanted():
    error = refused(PARLEY_HOST="")
    assert "0.0.0.0 and ::" in error.what
    assert "tls_certificate" in error.remedy
    refused(PARLEY_HOST="voice.example.org")
    assert not load(PARLEY_HOST="", PARLEY_TRUSTED_PROXIES="10.0.0.1").loopback_only
    assert load(PARLEY_HOST="", PARLEY_ALLOW_PLAIN_HTTP="yes").allow_plain_http
    assert load(PARLEY_HOST="", PARLEY_TLS_CERTIFICATE="a.pem", PARLEY_TLS_KEY="b.pem").tls


def test_a_certificate_needs_its_key_and_the_other_way_round():
    assert "tls_key is missing" in refused(PARLEY_TLS_CERTIFICATE="a.pem").what
    assert "tls_certificate is missing" in refused(PARLEY_TLS_KEY="a.pem").what


def test_asking_for_the_public_address_needs_somebody_to_ask():
    refused(PARLEY_PUBLIC_ADDRESS="auto")
    settings = load(PARLEY_PUBLIC_ADDRESS="AUTO", STUN_SERVER="stun.example.org")
    assert (settings.public_address, settings.stun_servers) == ("auto", ("stun:stun.example.org:3478",))


def test_what_does_not_concern_serving_is_not_asked_of_other_commands():
    assert load(serving=False, PARLEY_HOST="", PARLEY_JWT_SECRET="").port == 8080


def test_a_file_that_cannot_be_read_or_is_no_mapping_is_refused(tmp_path):
    assert "No such file" in refused(config=tmp_path / "none.yaml").why
    file = tmp_path / "bad.yaml"
    file.write_text("- 1\n")
    assert "mapping" in refused(config=file).why
    file.write_text("a: [\n")
    assert "not YAML" in refused(config=file).what
    file.write_bytes(b"\xff\xfe\xff")
    assert "UTF-8" in refused(config=file).why


def test_variables_that_mean_nothing_yet_are_said():
    said = warnings_about(load(), {"REDIS_URL": "x", "HOME": "/"})
    assert said == ["REDIS_URL is set, but this version ignores it."]
    assert "microphone" in warnings_about(load(PARLEY_HOST="", PARLEY_ALLOW_PLAIN_HTTP="1"), {})[0]


def test_the_secret_is_the_one_set_or_that_of_the_data_folder(tmp_path):
    assert secret_of(load()) == SECRET
    settings = Settings(dev=True, data_dir=tmp_path / "data")
    assert secret_of(settings) == secret_of(settings)
    assert (tmp_path / "data" / "dev_secret").stat().st_mode & 0o777 == 0o600


def test_a_data_folder_that_cannot_be_made_is_the_machines_fault(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Refusal) as caught:
        secret_of(Settings(dev=True, data_dir=tmp_path / "file" / "data"))
    assert caught.value.exit_code == 1
    assert "PARLEY_DATA_DIR" in caught.value.remedy


def test_the_environment_is_read_when_none_is_given(monkeypatch):
    for name in list(os.environ):
        if name.startswith("PARLEY_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PARLEY_SLOTS", "5")
    monkeypatch.delenv("REDIS_URL", raising=False)
    assert load_settings({"dev": True}).slots == 5
    assert isinstance(warnings_about(Settings()), list)


def test_every_setting_is_in_the_manual_with_its_default():
    assert reference() in DOCS.read_text(), "run python scripts/write_reference.py"
    assert {row.name for row in rows()} == set(Settings.model_fields)
    assert all(row.meaning for row in rows())
    assert set(Settings.model_fields) >= SECRETS
