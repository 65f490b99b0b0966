"""k8s/compare-versions.sh, as `make compare-versions` runs it, against a gateway and versions good and bad."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from compare.__main__ import main

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "k8s/compare-versions.sh"
PYTHON = Path(sys.executable)
CARD = "k8s/base/cards/and_gate.json"
"""Named, since a checkout in which `make run` or `make deploy` was used has nearer ones."""
CONFIG = """model_config_list {{
  config {{ name: "and_gate" base_path: "{folder}/gate" model_platform: "tensorflow" model_version_policy {{ all {{}} }}
    version_labels {{ key: "stable" value: 1 }} version_labels {{ key: "canary" value: 3 }} }}
  config {{ name: "mixed" base_path: "{folder}/mixed" model_platform: "tensorflow"
    model_version_policy {{ all {{}} }} }}
}}"""
QUICK = ("--requests", "20", "--latency-ratio", "5")
"""Few requests, and a bound that a busy machine does not pass: times are another test's matter."""

Compare = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def server(tmp_path_factory, start_model_server) -> str:
    """A model server with six versions of the gate and two of another model; its address."""
    folder = tmp_path_factory.mktemp("versions")
    command = [PYTHON, Path(__file__).with_name("gate_versions.py"), folder]
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    (folder / "models.config").write_text(CONFIG.format(folder=folder))
    ahead = "--allow_version_labels_for_unavailable_models"
    address: str = start_model_server(f"--model_config_file={folder / 'models.config'}", ahead).address
    return address


@pytest.fixture(scope="module")
def gateway(server, start_gateway_process):
    return start_gateway_process(TIDEGATE_BACKENDS=f"static:{server}", TIDEGATE_MODELS="and_gate,mixed")


@pytest.fixture
def compare(gateway, capsys, monkeypatch) -> Compare:
    """Run the command in this process; gives exit code, what it says, and what it complains of."""
    monkeypatch.chdir(ROOT)

    def run(versions: str, *options: str, model: str = "and_gate", host: str = gateway.address) -> tuple[int, str, str]:
        card = ("--card", CARD) if model == "and_gate" else ()
        try:
            code = main([model, versions, "--host", f"http://{host}", *card, *options])
        except SystemExit as stopped:  # argparse's way
            code = int(str(stopped.code))
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def script(address: str, **environment: str) -> "subprocess.Popen[str]":
    """Start what `make compare-versions` starts."""
    settings = {"NAME": "and_gate", "HOST": f"http://{address}", "CARD": CARD, "VENV": str(PYTHON.parents[1])}
    environ = os.environ | settings | environment
    return subprocess.Popen(
        [SCRIPT],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
    )


def test_a_version_that_answers_the_same_passes_on_the_cards_examples(gateway):
    running = script(gateway.address, VERSIONS="1,2", ARGS=" ".join(QUICK))
    said, complaint = running.communicate(timeout=60)
    assert running.returncode == 0, said + complaint
    assert f"and_gate: version 1 → version 2, 8 examples of {CARD}" in said
    assert "signature     the same" in said
    assert "disagreement  0 of 8 rows" in said
    assert "right         8 → 8 of 8" in said
    assert said.endswith("YES: within the thresholds\n")


def test_a_worse_version_fails_and_its_rows_are_shown_with_both_answers(gateway, tmp_path):
    report = tmp_path / "report.json"
    running = script(gateway.address, VERSIONS="stable,canary", JSON=str(report), ARGS=" ".join(QUICK))
    said, _ = running.communicate(timeout=60)
    assert running.returncode == 1
    assert "label stable (version 1) → label canary (version 3)" in said
    assert "right         8 → 4 of 8" in said
    assert "row 3  [2.0, 0.0]: class 0 became 1" in said
    assert "expected: off" in said
    assert "NO: accuracy is 50.0% lower (at most 0.0%)" in said
    found = json.loads(report.read_text())
    assert (found["passed"], found["agreement"]["right"]) == (False, [8, 4])
    rows = [disagreement["row"] for disagreement in found["agreement"]["disagreements"]]
    assert rows == [[2.0, 0.0], [3.0, 0.0], [0.0, 4.0], [0.0, 10.0]]


def test_a_threshold_may_be_given(compare, tmp_path):
    rows = tmp_path / "rows"
    rows.write_text("[1, 1]\n\n[0, 1]\n")
    code, said, _ = compare("1,3", "--samples", str(rows), "--threshold", "0.5", *QUICK)
    assert code == 0, said
    assert f"2 rows of {rows}" in said
    assert compare("1,3", "--samples", str(rows), "--threshold", "0.4", *QUICK)[0] == 1


def test_a_slower_version_fails_by_its_median(compare):
    code, said, _ = compare("1,4", "--requests", "10", "--latency-ratio", "1.5")
    assert code == 1
    assert "disagreement  0 of 8 rows" in said
    assert "NO: the median request takes" in said


def test_a_version_that_fails_on_some_rows_is_found_out(compare):
    code, said, _ = compare("1,5", *QUICK)
    assert code == 1
    assert "NO: the new version fails where the old one answers (1 of 8 rows)" in said
    assert "version 5: 400: assertion failed: [too large]" in said
    assert "row 8  [0.0, 10.0]: only the old version fails" in compare("5,1", *QUICK)[1]


def test_a_breaking_change_is_said_before_anything_is_sent(compare):
    code, said, _ = compare("1,6", *QUICK)
    assert code == 1
    assert "BREAKING: serving_default, input inputs was DT_FLOAT [-1, 2], is DT_FLOAT [-1, 3]" in said
    assert "nothing was sent" in said


def test_texts_bytes_and_nan_of_several_outputs_are_compared(compare, tmp_path):
    rows = tmp_path / "rows"
    rows.write_text('{"number": 0, "text": "X1"}\n{"number": NaN, "text": {"b64": "WDI="}}\n')
    code, said, _ = compare("1,2", "--samples", str(rows), *QUICK, model="mixed")
    assert code == 1
    assert "disagreement  2 of 2 rows" in said
    assert 'row 1  {"number": 0, "text": "X1"}: said: 1 of 1 values differ' in said
    assert '"ratio": NaN' in said
    assert '"raw_bytes": {"b64": "WDI="}' in said


def test_a_model_without_a_card_gets_drawn_rows(compare):
    code, said, _ = compare("2,2", "--count", "3", *QUICK, model="mixed")
    assert code == 0, said
    assert "mixed: version 2 → version 2, 3 drawn rows" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("1",), "which versions? The old one and the new one"),
        (("1,9",), "and_gate has no version 9 at"),
        (("1,beta",), "Labels stand in the model servers' models.config"),
        (("1,2", "--threshold", "5"), "expected a share from 0 to 1, such as 0.05, came 5"),
        (("1,2", "--samples", "/nowhere/rows"), "SAMPLES=/nowhere/rows"),
        (("1,2", "--samples", "Procfile"), "Procfile, line 1: expected a row in JSON, such as [1, 1]"),
        (("1,2", "--card", "Procfile"), "Procfile: expected a model's card"),
        (("1,2", "--host", "http://127.0.0.1:9"), "does not answer"),
        (("1,2", "--host", "nobody"), "nobody does not answer"),
        (("1,2", "--signature", "png"), "the model has no signature png; it has serving_default"),
    ],
)
def test_what_cannot_be_compared_is_said_with_code_2(compare, arguments, says):
    code, _, complaint = compare(*arguments)
    assert code == 2
    assert says in complaint


def test_an_unknown_model_is_told_from_an_unknown_version(compare):
    assert compare("1,2", model="")[0] == 2
    code, _, complaint = compare("1,2", model="nix")
    assert (code, "nor any other version of it. Is the name right?" in complaint) == (2, True)


def test_rows_that_both_refuse_are_no_comparison(compare, tmp_path):
    (tmp_path / "rows").write_text("[1, 2, 3]\n")
    code, _, complaint = compare("1,2", "--samples", str(tmp_path / "rows"))
    assert code == 2
    assert "both versions refuse every row; version 1 says 400" in complaint


def test_a_gateway_that_asks_for_a_token_gets_it_from_a_file(compare, server, start_gateway_process, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("# mine\nopen-sesame\n")
    host = start_gateway_process(TIDEGATE_BACKENDS=f"static:{server}", TIDEGATE_TOKENS_FILE=str(tokens)).address
    code, _, complaint = compare("1,2", host=host)
    assert (code, "asks for a bearer token: TOKEN_FILE=file" in complaint) == (2, True)
    code, said, _ = compare("1,2", "--token-file", str(tokens), *QUICK, host=host)
    assert code == 0, said


def test_ctrl_c_ends_it_without_a_traceback(gateway):
    def predictions() -> float:
        with urllib.request.urlopen(f"{gateway.ops}/metrics", timeout=10) as page:
            counts = re.findall(r"^tidegate_requests_total\{.*predict.*\} (\S+)$", page.read().decode(), re.MULTILINE)
        return sum(map(float, counts))

    before = predictions()
    running = script(gateway.address, VERSIONS="1,2", ARGS="--requests 1000000")
    while predictions() == before:
        assert running.poll() is None
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    try:
        _, complaint = running.communicate(timeout=30)
    finally:
        running.kill()
    assert running.returncode == 130
    assert complaint == "\ntidegate: stopped before all was compared\n"
