"""What `make run` says once everything answers."""

import pytest

from announcement import announcement
from ports import Ports


def load_command(text: str) -> str:
    (line,) = (line for line in text.splitlines() if line.startswith("  load"))
    return line.split(maxsplit=1)[1]


@pytest.mark.parametrize(
    ("model", "ports", "secured", "command"),
    [
        ("and_gate", Ports(), False, "make loadtest"),
        ("mine", Ports(http_port=9080), False, "make loadtest HTTP_PORT=9080 LOADTEST_MODEL=mine"),
        ("mine", Ports(), True, "make loadtest HOST=https://127.0.0.1:8080 LOADTEST_MODEL=mine"),
    ],
)
def test_the_command_that_loads_what_runs_is_ready_to_be_typed(model, ports, secured, command):
    assert load_command(announcement([model], ports, [], secured=secured)) == command


def test_what_the_model_server_warned_of_is_repeated_where_one_looks():
    *_, last = announcement(["mine"], Ports(), ["/m/1: TF Serving cannot run this model"], secured=False).split(
        "\n\n  "
    )
    assert "\nWarning: /m/1: TF Serving cannot run this model\n\nCtrl-C stops it.\n" in last


def test_every_model_has_its_address():
    text = announcement(["and_gate", "digits"], Ports(), [], secured=False)
    assert text.startswith("\nTidegate serves and_gate and digits\n")
    assert text.count("http://127.0.0.1:8080/v1/models/") == 2
