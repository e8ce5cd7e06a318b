from signaling.settings.reference import reference, rows


def test_a_row_says_name_variables_default_and_meaning():
    host = next(row for row in rows() if row.name == "port")
    assert host.variables == ("PARLEY_PORT", "SERVER_PORT")
    assert host.default == "8080"
    assert host.meaning.startswith("TCP port")


def test_lists_empty_texts_and_secrets_have_a_readable_default():
    defaults = {row.name: row.default for row in rows()}
    assert defaults["jwt_secret"] == ""
    assert defaults["allowed_origins"] == ""
    assert defaults["dev"] == "false"
    assert defaults["metrics_networks"].startswith("127.0.0.0/8, ")


def test_the_table_has_a_line_for_each():
    assert len(reference().splitlines()) == len(rows()) + 2
