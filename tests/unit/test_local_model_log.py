"""What passes of the processes' output, and what is kept of it."""

import io
import json

from model_log import ModelLog


class Terminal(io.StringIO):
    """Takes colours."""

    def isatty(self) -> bool:
        return True


def passed(*lines: str, shown: io.StringIO | None = None) -> ModelLog:
    log = ModelLog(io.StringIO("".join(f"{line}\n" for line in lines)), shown or io.StringIO())
    log.join(5)
    return log


def entry(**fields: str) -> str:
    return f"09:30:00 model-server.1 | {json.dumps(fields)}"


def test_every_line_is_shown_as_it_came():
    shown = io.StringIO()
    passed("09:30:00 gateway.1 | a\t{", "", "no process", shown=shown)
    assert shown.getvalue() == "09:30:00 gateway.1 | a\t{\n\nno process\n"


def test_a_terminal_sees_whose_line_it_is_by_colour():
    shown = Terminal()
    passed("09:30:00 gateway.1      | up", "09:30:00 system         | down", shown=shown)
    assert shown.getvalue() == "\033[33m09:30:00 gateway.1      | \033[0mup\n09:30:00 system         | down\n"


def test_the_reason_for_which_a_model_is_not_loaded_is_kept_whole():
    log = passed(
        "09:30:00 model-server.1 | tidegate-model-server: Failed to start server. Error: UNKNOWN: 1 servable(s) did "
        "not become available: {gate: /models/gate/1: Cannot parse",
        "09:30:00 model-server.1 | the file}",
        "09:30:00 system | model-server.1 stopped (rc=1)",
    )
    assert log.why_it_ended() == "the model server could not load gate: /models/gate/1: Cannot parse\nthe file"


def test_another_reason_of_either_is_kept_as_it_is():
    assert (
        passed("09:30:00 model-server.1 | tidegate-model-server: port 1 is taken").why_it_ended() == "port 1 is taken"
    )
    assert passed("09:30:00 gateway.1 | tidegate-web: no", "09:30:00 model-server.1 | bye").why_it_ended() == "no"
    assert passed("09:30:00 model-server.1 | bye").why_it_ended() == ""


def test_warnings_about_a_model_are_kept_and_no_others():
    warning = {"level": "WARNING", "logger": "tidegate_serving.savedmodel", "message": "slow", "folder": "/m/1"}
    log = passed(
        entry(**warning),
        entry(**warning | {"level": "INFO"}),
        entry(**warning | {"logger": "tidegate_serving.server"}),
        "09:30:00 model-server.1 | {not json",
    )
    assert log.warnings == ["/m/1: slow"]
