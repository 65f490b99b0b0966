"""Settings are read once, typed, and refused with what was expected and what came."""

import pytest

from tidegate_web.settings import Settings, SettingsError, table


def test_nothing_given_means_the_defaults():
    assert Settings.from_environ({"PATH": "/bin", "TIDEGATE_BACKENDS": ""}) == Settings()


def test_what_is_given_is_read_with_its_type():
    settings = Settings.from_environ(
        {"TIDEGATE_HTTP_PORT": "9000", "TIDEGATE_DRAIN_S": "0.5", "TIDEGATE_EXPOSE_ROUTE": "1"}
    )
    assert (settings.http_port, settings.drain_s, settings.expose_route) == (9000, 0.5, True)


def test_the_ends_of_a_range_are_in_it():
    settings = Settings.from_environ({"TIDEGATE_HTTP_PORT": "65535", "TIDEGATE_ACCESS_LOG_SHARE": "1"})
    assert (settings.http_port, settings.access_log_share) == (65535, 1)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("TIDEGATE_HTTP_PORT", "http", "expected a whole number, came 'http'"),
        ("TIDEGATE_HTTP_PORT", "-1", "expected a whole number from 0, came '-1'"),
        ("TIDEGATE_HTTP_PORT", "65536", "expected a whole number up to 65535, came '65536'"),
        ("TIDEGATE_OPS_PORT", "99999", "expected a whole number up to 65535, came '99999'"),
        ("TIDEGATE_ACCESS_LOG_SHARE", "1.01", "expected a number up to 1, came '1.01'"),
        ("TIDEGATE_ACCESS_LOG_SHARE", "-1", "expected a number from 0, came '-1'"),
        ("TIDEGATE_MODELS", " , ", "expected names separated by commas, came ' , '"),
        ("TIDEGATE_MAX_INFLIGHT", "0", "expected a whole number from 1, came '0'"),
        ("TIDEGATE_REQUEST_TIMEOUT_S", "nan", "expected a number from 0.001, came 'nan'"),
        ("TIDEGATE_DRAIN_S", "inf", "expected a number from 0, came 'inf'"),
        ("TIDEGATE_EXPOSE_ROUTE", "maybe", "expected 1 or 0, came 'maybe'"),
        ("TIDEGATE_BACKEND", "static:a:1", "TIDEGATE_BACKEND is no setting; there are TIDEGATE_BACKENDS"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(name, text, expected):
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ({name: text})
    assert expected in str(caught.value)
    assert name in str(caught.value)


def test_the_table_has_a_row_for_each_setting():
    rows = table().splitlines()[2:]
    assert len(rows) == len(Settings.__dataclass_fields__)
    assert "| `TIDEGATE_HTTP_PORT` | `8080` | Port of the form and the API |" in rows


def test_what_kubernetes_adds_for_services_is_not_taken_for_settings():
    links = {
        "TIDEGATE_WEB_PORT": "tcp://10.96.0.7:8080",
        "TIDEGATE_WEB_PORT_8080_TCP": "tcp://10.96.0.7:8080",
        "TIDEGATE_WEB_PORT_8080_TCP_ADDR": "10.96.0.7",
        "TIDEGATE_WEB_SERVICE_HOST": "10.96.0.7",
        "TIDEGATE_WEB_SERVICE_PORT_HTTP": "8080",
    }
    assert Settings.from_environ(links) == Settings()
