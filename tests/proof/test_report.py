"""What a report promises whoever reads it, from made-up runs."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.proof import records
from tests.proof.sealing import write_sealed
from tidegate_proof.__main__ import main
from tidegate_proof.record.documents import read_document, write_document
from tidegate_proof.record.errors import RecordError
from tidegate_proof.record.folder import Record
from tidegate_proof.record.manifest import seal
from tidegate_proof.record.plan import Threshold
from tidegate_proof.record.proof import PROOF
from tidegate_proof.record.verdict import Verdict
from tidegate_proof.report import render
from tidegate_proof.verdict.proof import conclude

MOST_BYTES = 1_500_000
VOID = {"meta", "link", "br", "hr", "img", "input"}


class Reader(HTMLParser):
    """Takes a page apart, and refuses one whose elements do not close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def read(page: bytes) -> Reader:
    reader = Reader()
    reader.feed(page.decode())
    assert reader.open == []
    return reader


def cases(xml: bytes) -> dict[str, str]:
    """What became of each test case: the tag of what it holds, or passed."""
    root = ET.fromstring(xml)  # noqa: S314 our own
    return {case.get("name", ""): next((child.tag for child in case), "passed") for case in root.iter("testcase")}


@pytest.fixture(scope="module")
def run() -> Record:
    return records.record()


@pytest.fixture(scope="module")
def step(run: Record, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sealed(tmp_path_factory.mktemp("report") / "step", run)


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sealed(tmp_path_factory.mktemp("report") / "frozen", records.record(frozen=True))


def test_the_same_record_gives_the_same_bytes_wherever_it_lies(run, step, tmp_path):
    assert render(step) == render(write_sealed(tmp_path / "another name", run))


def test_a_page_loads_nothing_runs_nothing_and_names_each_element_once(step):
    page = read(render(step)["report.html"])
    assert not {tag for tag, _ in page.tags} & {"script", "img", "iframe", "object", "embed", "form", "base"}
    names = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(names) == len(set(names))
    leads = [value for _, attrs in page.tags for name, value in attrs.items() if name in {"href", "src", "xlink:href"}]
    assert all(lead.startswith(("#", "data:image/svg+xml,")) for lead in leads)
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on") or name == "style"]
    (policy,) = [attrs["content"] for tag, attrs in page.tags if tag == "meta" and "http-equiv" in attrs]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")


def test_every_link_and_label_of_a_page_has_its_goal(step):
    page = read(render(step)["report.html"])
    names = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    goals = {attrs["href"][1:] for tag, attrs in page.tags if tag == "a" and attrs["href"].startswith("#")}
    pictures = [attrs for tag, attrs in page.tags if tag == "svg" and attrs.get("role") == "img"]
    assert goals <= names
    assert len(pictures) > 10
    assert all({attrs["aria-labelledby"], attrs["aria-describedby"]} <= names for attrs in pictures)
    assert all(attrs.get("aria-hidden") == "true" for tag, attrs in page.tags if tag == "svg" and "role" not in attrs)


def test_the_verdict_its_hash_and_every_threshold_stand_in_all_three_files(run, step):
    files = render(step)
    page = read(files["report.html"]).text
    summary = files["summary.md"].decode()
    told = cases(files["junit.xml"])
    for words in (page, summary, files["junit.xml"].decode()):
        assert run.plan.sha256() in words
    for threshold in run.plan.thresholds:
        assert threshold.name in page
        assert threshold.why in page
        assert f"| {threshold.name} | ✓ held |" in summary
        assert told[threshold.name] == "passed"
    for check in read_document(step / "verdict.json", Verdict).validity:
        assert check.name in page
        assert f"| {check.name} | ✓ in order |" in summary
        assert told[check.name] == "passed"
    assert "Passed" in page
    assert run.plan.hypothesis in page


def test_a_broken_threshold_is_told_with_its_figure_and_its_limit(run, tmp_path):
    asked = Threshold(name="much", metric="phases.high.goodput_rps", op=">=", limit=47, why="more than there was")
    folder = write_sealed(tmp_path / "failed", replace(run, plan=replace(run.plan, thresholds=(asked,))))
    files = render(folder)
    page = read(files["report.html"]).text
    assert re.search(r"Failed 1 of 1 threshold did not hold: much \([\d.]+/s, limit ≥ 47/s\)", page)
    assert cases(files["junit.xml"])["much"] == "failure"


def test_a_control_that_failed_is_no_red_test(frozen):
    files = render(frozen)
    told = cases(files["junit.xml"])
    assert "Failed, as this control must" in read(files["report.html"]).text
    assert told.pop("frozen-hpa fails") == "passed"
    assert "failure" not in told.values()
    assert {told[threshold.name] for threshold in records.THRESHOLDS} == {"skipped"}


def test_a_control_that_passes_is_a_red_test(run, tmp_path):
    plan = replace(run.plan, control="pinned")
    files = render(write_sealed(tmp_path / "control", replace(run, plan=plan)))
    assert "Passed, and must not" in read(files["report.html"]).text
    assert cases(files["junit.xml"])["pinned fails"] == "failure"


def test_a_partial_run_is_called_partial_and_judges_nothing(tmp_path):
    files = render(write_sealed(tmp_path / "partial", records.record(partial="Ctrl-C after 41 s")))
    page = read(files["report.html"]).text
    told = cases(files["junit.xml"])
    assert "Partial The run did not come to its end: Ctrl-C after 41 s. Nothing is judged." in page
    assert told["the run came to its end"] == "failure"
    assert {told[threshold.name] for threshold in records.THRESHOLDS} == {"skipped"}
    assert "✓ held" not in files["summary.md"].decode()


def test_a_run_that_was_not_measured_well_is_called_invalid(run, tmp_path):
    busy = tuple(replace(look, cpu_s=look.cpu_s * 8) for look in run.generator)
    files = render(write_sealed(tmp_path / "invalid", replace(run, generator=busy)))
    assert "Invalid The run says nothing about the system under test" in read(files["report.html"]).text
    assert cases(files["junit.xml"])["generator busy, share of a core"] == "failure"


def test_whatever_a_record_says_stays_text(run, tmp_path):
    hostile = (
        "</title></svg><script>alert(1)</script><img src=x onerror=alert(2)> ]]> \u202e\x00 {{ 7 * 7 }} | `x` **b**"
    )
    plan = replace(
        run.plan,
        hypothesis=hostile,
        model=hostile,
        thresholds=(Threshold(name=hostile, metric="lost.client", op="<=", limit=0, why=hostile),),
        cluster=replace(run.plan.cluster, namespace=hostile, images={"web": hostile}),
        autoscaler={"web": {hostile: hostile}},
        versions={hostile: hostile},
    )
    files = render(write_sealed(tmp_path / "hostile", replace(run, plan=plan)))
    page = read(files["report.html"])
    assert not {tag for tag, _ in page.tags} & {"script", "img"}
    assert "<script>alert(1)</script>" in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert "\u202e" not in files["report.html"].decode()
    assert "\x00" not in files["report.html"].decode()
    assert ET.fromstring(files["junit.xml"]).get("tests") is None  # noqa: S314 it can be parsed, which is what counts
    assert re.search(r"(?<!\\)[<|`]script", files["summary.md"].decode()) is None


def test_a_run_of_an_hour_stays_small_and_says_how_it_was_thinned(tmp_path):
    folder = write_sealed(tmp_path / "hour", records.record(records.plan(warm_up_s=60, duration_s=3540)))
    page = render(folder)["report.html"]
    assert len(page) < MOST_BYTES
    assert "a point for every 10 s: the mean of rates, and the largest of the seconds' latencies" in read(page).text


def test_junit_xml_has_what_the_schemas_of_ant_and_jenkins_ask_for(step):
    root = ET.fromstring(render(step)["junit.xml"])  # noqa: S314 our own
    assert root.tag == "testsuites"
    (suite,) = root
    assert [child.tag for child in suite if child.tag != "testcase"] == ["properties", "system-out", "system-err"]
    assert suite[0].tag == "properties"
    assert set(suite.attrib) >= {
        "id",
        "package",
        "name",
        "timestamp",
        "hostname",
        "tests",
        "failures",
        "errors",
        "time",
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp", ""))
    found = list(suite.iter("testcase"))
    assert int(suite.get("tests", "")) == len(found)
    assert all(set(case.attrib) == {"name", "classname", "time"} and len(case) <= 1 for case in found)
    assert {prop.get("name") for prop in suite.iter("property")} >= {"plan.sha256", "scenario", "seed"}


@pytest.fixture(scope="module")
def proof(run: Record, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs and a control."""
    root = tmp_path_factory.mktemp("report") / "proof"
    for name, record in {
        "run 1": run,
        "run 2": records.record(replace(run.plan, seed=8)),
        "frozen": records.record(frozen=True),
    }.items():
        write_sealed(root / name, record)
    write_document(root / PROOF, conclude(root, ["run 1", "run 2", "frozen"], []))
    return root


def test_a_proof_shows_runs_beside_controls_and_leads_to_their_reports(proof):
    files = render(proof)
    page = read(files["report.html"])
    told = cases(files["junit.xml"])
    assert "Passed 2 runs held every threshold; 1 control failed, as it must." in page.text
    assert {attrs["href"] for tag, attrs in page.tags if tag == "a"} >= {
        "./run%201/report.html",
        "./frozen/report.html",
    }
    assert told["frozen has to fail"] == told["controls fail"] == "passed"
    names = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(names) == len(set(names))
    assert not [name for name in names if " " in name]


def test_a_proof_whose_control_passes_is_void(run, tmp_path):
    write_sealed(tmp_path / "run", run)
    write_sealed(tmp_path / "control", replace(run, plan=replace(run.plan, control="pinned")))
    write_document(tmp_path / PROOF, conclude(tmp_path, ["run", "control"], []))
    files = render(tmp_path)
    assert "Void This shows nothing: control did not fail as it must." in read(files["report.html"]).text
    assert cases(files["junit.xml"])["controls fail"] == "failure"


def test_the_command_writes_the_report_and_says_where(run, tmp_path, capsys):
    folder = write_sealed(tmp_path / "step", run)
    assert main(["report", str(folder)]) == 0
    assert capsys.readouterr().out == f"{folder / 'report.html'}\n"
    assert {name: (folder / name).read_bytes() for name in render(folder)} == render(folder)


def test_the_command_leaves_a_sealed_report_that_differs_alone(run, tmp_path, capsys):
    folder = write_sealed(tmp_path / "step", run)
    (folder / "report.html").write_text("edited")
    seal(folder)
    assert main(["report", str(folder)]) == 1
    assert (folder / "report.html").read_text() == "edited"
    assert "--to DIR" in capsys.readouterr().err
    assert main(["report", str(folder), "--to", str(tmp_path / "new")]) == 0
    assert (tmp_path / "new" / "report.html").read_bytes() == render(folder)["report.html"]


def test_the_command_says_what_a_folder_lacks(tmp_path, capsys):
    (tmp_path / "plan.json").touch()
    assert main(["report", str(tmp_path)]) == 2
    assert "is not there" in capsys.readouterr().err


def test_another_knee_than_the_plan_names_is_refused(run, tmp_path):
    folder = write_sealed(tmp_path / "step", run)
    (folder / "knee.json").write_text("{}")
    with pytest.raises(RecordError, match="which the plan names"):
        render(folder)
