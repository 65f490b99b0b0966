"""Settings are read once, typed, and refused with what was expected and what came."""

import os
import subprocess
import sys

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
        ("TIDEGATE_BACKEND", "static:a:1", "TIDEGATE_BACKEND is no setting; did you mean TIDEGATE_BACKENDS?"),
        ("TIDEGATE_BACKNEDS", "static:a:1", "did you mean TIDEGATE_BACKENDS?"),
        ("TIDEGATE_XYZZY", "1", "TIDEGATE_XYZZY is no setting; --help lists them"),
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


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tidegate_web", *arguments]
    environment = {**os.environ, "COLUMNS": "72", "TIDEGATE_HTTP_PORT": "no port: it would not start"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_help_tells_of_every_setting_and_starts_nothing():
    told = run("--help")
    assert told.returncode == 0
    assert told.stdout.startswith("usage: tidegate-web [-h]")
    assert all(f"  TIDEGATE_{name.upper()}=" in told.stdout for name in Settings.__dataclass_fields__)
    assert max(len(line) for line in told.stdout.splitlines() if line.startswith(" " * 6)) <= 72


def test_an_argument_that_is_none_is_refused():
    told = run("--port=8080")
    assert told.returncode == 2
    assert "unrecognized arguments: --port=8080" in told.stderr
    assert "Traceback" not in told.stderr


def test_what_kubernetes_adds_for_services_is_not_taken_for_settings():
    links = {
        "TIDEGATE_WEB_PORT": "tcp://10.96.0.7:8080",
        "TIDEGATE_WEB_PORT_8080_TCP": "tcp://10.96.0.7:8080",
        "TIDEGATE_WEB_PORT_8080_TCP_ADDR": "10.96.0.7",
        "TIDEGATE_WEB_SERVICE_HOST": "10.96.0.7",
        "TIDEGATE_WEB_SERVICE_PORT_HTTP": "8080",
    }
    assert Settings.from_environ(links) == Settings()
