"""`tidegate-hpa plan`: settings from a measured knee, and its refusals."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import text_format

from tidegate_hpa import knee, manifests
from tidegate_hpa.__main__ import main
from tidegate_hpa.capacity import Capacity
from tidegate_hpa.errors import InputError
from tidegate_hpa.fleet import Delays
from tidegate_hpa.forecast import forecast
from tidegate_hpa.planning import Candidate, Plan, choose, default, pareto, search
from tidegate_hpa.score import Score
from tidegate_proto.server_config_pb2 import BatchingParameters
from tidegate_serving.batching import understood

POD = Capacity(0.05, concurrency=2, cpu_s=0.01)
"""40 requests/s at most: with an objective of 300 ms the knee is a little above 24."""


def step(rps: float) -> dict[str, Any]:
    p99 = POD.latency_p99(1, rps)
    return {
        "offered_rps": rps,
        "p50_ns": 50_000_000,
        "p99_ns": round(p99 * 1e9),
        "mean_pending": rps * 0.05,
        "cores_used": rps * 0.01,
        "valid": True,
    }


def record(**changes: object) -> dict[str, Any]:
    return {
        "tier": "serving",
        "rows": 2,
        "slo": {"latency_ms": 400.0},
        "steps": [step(rps) for rps in (4.0, 8.0, 16.0, 24.0, 32.0)],
        "knee": {"capacity_rps": 24.0, "low": 24.0, "high": 26.0},
        "refusal": None,
        **changes,
    }


@pytest.fixture
def written(tmp_path: Path):
    def write(**changes: object) -> Path:
        file = tmp_path / "knee.json"
        file.write_text(json.dumps(record(**changes)))
        return file

    return write


def test_the_target_is_what_the_signal_shows_at_the_load_that_is_wanted(written):
    plan = Plan(knee.read(written()), 0.25, 2, 10, 300, 0.4)
    assert plan.rps_per_pod == pytest.approx(18)
    # 18 requests/s of 50 ms are 0.9 requests, of 2 rows
    assert plan.pending_target_m == 1800
    assert (plan.cpu_request_m, plan.cpu_target) == (240, 75)
    # A lone request takes 50 ms, in which a pod answers 2.4 rows; in 200 ms it answers 9.6
    assert (plan.sent_per_gateway, plan.queued_per_gateway) == (5, 5)
    assert (replace(plan, gateways=9).sent_per_gateway, replace(plan, gateways=9).queued_per_gateway) == (1, 3)
    # A pod that is to hold much at its target is sent so much that the signal can call for twice the fleet
    full = replace(plan, headroom=0.0)
    assert full.pending_target_m == 2400
    assert full.sent_per_gateway == 5


def test_the_fitted_pod_has_its_knee_where_the_measured_one_has(written):
    measured = knee.read(written())
    pod = knee.fitted(measured, 240)
    assert pod.latency_p99(1, measured.capacity_rps) == pytest.approx(measured.slo_s, rel=0.01)
    assert pod.latency_p99(1, measured.capacity_rps * 0.9) < measured.slo_s


def test_pods_for_a_load_are_told_without_a_trace(written, capsys):
    assert main(["plan", str(written()), "--rps", "300", "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["pods"] == {"limit": 13, "headroom": 18}


def test_a_stricter_objective_takes_more_pods(written, capsys):
    pods = []
    for p99 in ("0.4", "0.2"):
        main(["plan", str(written()), "--rps", "300", "--p99", p99, "--output", "json"])
        pods.append(json.loads(capsys.readouterr().out)["pods"]["headroom"])
    assert pods[0] < pods[1]


def test_the_component_says_where_its_figures_come_from(written, tmp_path, capsys):
    file = written()
    assert main(["plan", str(file), "--out", str(tmp_path / "plan")]) == 0
    capsys.readouterr()
    text = (tmp_path / "plan" / "kustomization.yaml").read_text()
    assert knee.read(file).sha256 in text.splitlines()[0]
    component = yaml.safe_load(text)
    patched = {patch["target"]["kind"]: yaml.safe_load(patch["patch"]) for patch in component["patches"]}
    assert patched["HorizontalPodAutoscaler"]["spec"]["maxReplicas"] == 10
    values = {operation["path"].rpartition("/")[2]: operation["value"] for operation in patched["ScaledObject"]}
    assert (values["targetValue"], values["maxReplicaCount"]) == ("1.7", 10)
    parameters = text_format.Parse((tmp_path / "plan" / "batching_parameters.txt").read_text(), BatchingParameters())
    batching = understood(parameters)
    assert (batching.largest, batching.largest_task) == (2, 1000)
    # The largest call fits into the queue in its pieces
    assert batching.most_waiting >= 1000 / 2
    assert json.loads((tmp_path / "plan" / "plan.json").read_text())["headroom"] == 0.3


def test_a_trace_shows_before_and_after_and_what_nothing_beats(written, tmp_path, capsys):
    trace = tmp_path / "trace.csv"
    rows = "".join(f"{second},{200 if 200 < second < 500 else 10}\n" for second in range(900))
    trace.write_text("offset_s,requests\n" + rows)
    assert main(["plan", str(written()), "--trace", str(trace), "--output", "json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    late = [entry["violation_s"] for entry in answer["pareto"]]
    assert late == sorted(late, reverse=True)
    assert answer["compared"]["planned"]["violation_s"] < answer["compared"]["CPU 80 %"]["violation_s"]


@pytest.mark.parametrize(("quiet", "busy"), [(60, 60), (10, 200), (20, 150)])
def test_a_plan_is_never_beaten_by_plain_cpu_on_the_trace_that_it_was_made_on(written, tmp_path, capsys, quiet, busy):
    rows = "".join(f"{second},{busy if 100 < second < 250 else quiet}\n" for second in range(300))
    (tmp_path / "trace.csv").write_text("offset_s,requests\n" + rows)
    assert main(["plan", str(written()), "--trace", str(tmp_path / "trace.csv"), "--min", "1", "--output", "json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    planned = answer["compared"].pop("planned")
    assert planned["violation_s"] <= answer["compared"]["CPU 50 %"]["violation_s"]
    for usual in answer["compared"].values():
        assert (planned["violation_s"], planned["pod_hours"]) <= (usual["violation_s"], usual["pod_hours"]) or (
            planned["pod_hours"] < usual["pod_hours"]
        )


def test_plain_cpu_is_among_the_tries_as_most_people_have_it(written):
    plan = Plan(knee.read(written()), 0.3, 2, 10, 300, 0.4)
    tried = [candidate.plan for candidate in search(plan, [20.0] * 30, Delays())]
    for percent in (80, 50):
        assert default(percent, 2, 10) in [one.autoscaler() for one in tried if one.plain_cpu == percent]


def test_a_plan_of_plain_cpu_takes_behavior_and_pending_away(written):
    plan = Plan(knee.read(written()), 0.3, 3, 7, 300, 0.4).plainly(50)
    component = yaml.safe_load(manifests.files(plan)["kustomization.yaml"])
    patches = {patch["target"]["kind"]: patch["patch"] for patch in component["patches"]}
    spec = yaml.safe_load(patches["HorizontalPodAutoscaler"])["spec"]
    assert spec["behavior"] is None
    assert spec["metrics"][0]["resource"]["target"]["averageUtilization"] == 50
    removed = [o["path"] for o in yaml.safe_load(patches["ScaledObject"]) if o["op"] == "remove"]
    assert removed == ["/spec/advanced/horizontalPodAutoscalerConfig/behavior", "/spec/triggers/0"]
    assert "CPU alone at 50 %" in " ".join(manifests.provenance(plan))


def candidate(late: int, hours: float) -> Candidate:
    plan = Plan(knee.Knee("serving", "", 1, 1.0, 10.0, ()), 0.3, 1, 10, 300, 1.0)
    return Candidate(plan, Score(late, hours, 10.0, 0, 0, 0, 0, 0, 0, 1))


def test_the_front_has_nothing_that_another_beats():
    tried = [candidate(5, 20), candidate(9, 11), candidate(9, 12), candidate(7, 30)]
    assert [c.score.violation_s for c in pareto(tried)] == [9, 5]


def test_the_fewest_late_seconds_within_the_budget_are_chosen():
    tried = [candidate(5, 20), candidate(9, 11), candidate(8, 11.4)]
    assert choose(tried, 11.5).score.violation_s == 8
    assert choose(tried, 20).score.violation_s == 5
    assert choose(tried, 10).score.pod_hours == 11


def test_a_forecast_is_replicas_from_a_second_on(written):
    target = {"type": "AverageValue", "averageValue": "1"}
    spec = {
        "minReplicas": 1,
        "maxReplicas": 10,
        "scaleTargetRef": {"kind": "Deployment", "name": "tidegate-serving"},
        "metrics": [{"type": "External", "external": {"metric": {"name": "s0-metrics-api"}, "target": target}}],
    }
    foreseen = forecast(knee.read(written()), spec, [5.0] * 60 + [60.0] * 120, Delays())
    assert foreseen[0] == (0.0, 1)
    assert 60 < foreseen[1][0] < 95
    unmeasured = knee.read(written(steps=[{**step(rps), "cores_used": None} for rps in (4.0, 8.0, 16.0, 24.0)]))
    with pytest.raises(InputError, match="no CPU forecast"):
        forecast(unmeasured, {**spec, "metrics": None}, [5.0] * 60, Delays())


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"knee": None, "refusal": "the results contradict each other"}, "the results contradict each other"),
        ({"knee": {"capacity_rps": 24, "low": 24, "high": 40}}, "too wide to plan with"),
        ({"steps": [step(4.0), step(8.0)]}, "expected 4 steps that the generator vouches for, found 2"),
        ({"steps": [{**step(rps), "valid": False} for rps in (4.0, 8.0, 16.0, 24.0)]}, "found 0"),
        ({"steps": [{**step(rps), "p50_ns": 10**9} for rps in (4.0, 8.0, 16.0, 24.0)]}, "begin lower"),
        ({"slo": {}}, "expected a number 'latency_ms'"),
        ({"slo": {"latency_ms": -1}}, "slo.latency_ms: expected a number above 0, got -1"),
        ({"knee": {"capacity_rps": 0, "low": 24, "high": 26}}, "knee.capacity_rps: expected a number above 0, got 0"),
    ],
)
def test_data_that_are_not_good_enough_are_refused_with_the_reason(written, capsys, changes, complaint):
    file = written(**changes)
    assert main(["plan", str(file)]) == 2
    said = capsys.readouterr().err
    assert complaint in said
    assert said.startswith(f"tidegate-hpa: {file}: ")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"kind": "HorizontalPodAutoscaler"}, "got an object of kind HorizontalPodAutoscaler"),
        ({"knees": [{"folder": "knee-web"}]}, "got a proof, whose knees are knee-web/knee.json beside it"),
        ({"files": {}}, "got a file without 'steps'"),
    ],
)
def test_another_file_than_a_knee_is_told_as_that(tmp_path, capsys, content, told):
    file = tmp_path / "other.json"
    file.write_text(json.dumps(content))
    assert main(["plan", str(file)]) == 2
    said = f"tidegate-hpa: {file}: expected a knee.json, which `tidegate-proof knee` writes, {told}\n"
    assert capsys.readouterr().err == said


def test_an_objective_that_no_load_kept_is_refused(written, capsys):
    assert main(["plan", str(written()), "--p99", "0.001"]) == 2
    assert "one replica has kept" in capsys.readouterr().err


def test_a_looser_objective_than_the_measured_one_takes_no_load_that_made_the_queue_grow(written):
    assert knee.read(written()).capacity_within(60.0) == 24.0


def test_a_plan_on_cpu_alone_takes_what_is_pending_out_of_kedas_object(written):
    plan = Plan(knee.read(written()), 0.3, 3, 7, 300, 0.4, on_pending=False)
    component = yaml.safe_load(manifests.files(plan)["kustomization.yaml"])
    (patch,) = (patch["patch"] for patch in component["patches"] if patch["target"]["kind"] == "ScaledObject")
    operations = {operation["path"]: operation for operation in yaml.safe_load(patch)}
    assert operations["/spec/maxReplicaCount"]["value"] == 7
    assert plan.knee.sha256 in operations["/metadata/annotations/tidegate~1plan"]["value"]
    # The last one: what is before it still counts two triggers
    assert list(operations)[-1] == "/spec/triggers/0"
    assert operations["/spec/triggers/0"]["op"] == "remove"


def test_requests_of_many_rows_fit_into_a_batch(written):
    plan = Plan(knee.read(written(rows=16)), 0.9, 2, 10, 300, 0.4)
    assert "max_execution_batch_size { value: 16 }" in manifests.batching(plan)


def test_a_gateway_scales_on_cpu_alone(written, capsys):
    assert main(["plan", str(written(tier="web"))]) == 0
    assert "signal: CPU alone" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--rps", "0"], "argument --rps: expected a number above 0, got '0'"),
        (["--rps", "nan"], "expected a number above 0, got 'nan'"),
        (["--p99", "0"], "argument --p99"),
        (["--min", "0"], "argument --min: expected a whole number from 1 on, got '0'"),
        (["--gateways", "1.5"], "expected a whole number from 1 on, got '1.5'"),
        (["--surplus", "-1"], "expected a number from 0 on, got '-1'"),
    ],
)
def test_an_option_out_of_its_range_is_refused(written, capsys, options, complaint):
    with pytest.raises(SystemExit) as ended:
        main(["plan", str(written()), *options])
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--max", "1"], "--max: expected no fewer than --min, which is 2, got 1"),
        (["--peak", "100"], "--peak: expected --trace"),
        (["--trace", "QUIET"], "expected a request at least, found none"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(written, tmp_path, capsys, options, complaint):
    (tmp_path / "QUIET").write_text("offset_s,requests\n0,0\n1,0\n")
    given = [str(tmp_path / option) if option == "QUIET" else option for option in options]
    assert main(["plan", str(written()), *given]) == 2
    assert complaint in capsys.readouterr().err


def test_a_trace_without_a_signal_to_scale_on_is_refused(written, tmp_path, capsys):
    (tmp_path / "trace.csv").write_text("offset_s,requests\n0,10\n1,20\n")
    blind = [{**step(rps), "cores_used": None, "mean_pending": None} for rps in (4.0, 8.0, 16.0, 24.0)]
    assert main(["plan", str(written(steps=blind)), "--trace", str(tmp_path / "trace.csv")]) == 2
    assert "expected a signal to scale on" in capsys.readouterr().err


def test_an_empty_file_is_no_knee(tmp_path, capsys):
    (tmp_path / "knee.json").write_text("")
    assert main(["plan", str(tmp_path / "knee.json")]) == 2
    assert "expected one knee.json, found 0 documents" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_exit_code_1(written, tmp_path, capsys):
    (tmp_path / "taken").write_text("")
    assert main(["plan", str(written()), "--out", str(tmp_path / "taken")]) == 1
    assert "expected a place to write the answer to" in capsys.readouterr().err


def test_as_much_is_pending_in_the_fitted_pod_as_was_measured_up_to_its_knee(written):
    pod = knee.fitted(knee.read(written()), 240)
    assert [pod.pending(3, 3 * rps) for rps in (4.0, 12.0, 24.0)] == pytest.approx([0.6, 1.8, 3.6])
    beyond = [pod.pending(1, rps) for rps in (24.0, 25.0, 40.0, 1000.0)]
    assert beyond == sorted(beyond)
    unmeasured = [step(rps) | {"mean_pending": None} for rps in (4.0, 8.0, 16.0, 24.0, 32.0)]
    assert knee.fitted(knee.read(written(steps=unmeasured)), 240).measured == ()


def test_the_fitted_pod_uses_the_cores_that_were_measured_and_no_more_than_was_seen(written):
    used = {4.0: 0.1, 8.0: 0.15, 16.0: 0.2, 24.0: 0.22, 32.0: 0.22}
    pod = knee.fitted(knee.read(written(steps=[step(rps) | {"cores_used": used[rps]} for rps in used])), 240)
    assert [pod.cores(2, 2 * rps) for rps in (0.0, 4.0, 12.0, 24.0, 30.0)] == pytest.approx([0, 0.2, 0.35, 0.44, 0.44])
    assert pod.cores(0, 0.0) == 0
    assert Capacity(0.05, cpu_s=0.01).cores(2, 30) == pytest.approx(0.3)
