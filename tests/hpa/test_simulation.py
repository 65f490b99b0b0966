"""The simulator: the controller's own arithmetic over a load, a fleet and delays."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hpa.test_explain import Object, cpu, external, hpa
from tidegate_hpa import arrivals, autoscaler
from tidegate_hpa.__main__ import main
from tidegate_hpa.autoscaler import Autoscaler
from tidegate_hpa.capacity import Capacity
from tidegate_hpa.errors import InputError
from tidegate_hpa.fleet import Delays, Fleet
from tidegate_hpa.node import Node
from tidegate_hpa.score import oracle, score
from tidegate_hpa.simulation import simulate

# One pod: two at a time, 100 ms each, so 20 a second, and all of its CPU at that
POD = Capacity(service_time_s=0.1, concurrency=2, cpu_s=0.05, cpu_request_m=1000)
STEP = [5.0] * 60 + [60.0] * 600 + [5.0] * 900


def scaler(metrics: list[Object]) -> Autoscaler:
    return autoscaler.from_object(Node(hpa(maxReplicas=20, metrics=metrics), ""), "default")


PENDING = scaler([external(type="AverageValue", averageValue="1400m")])


def test_a_load_at_the_target_moves_nothing():
    trajectory = simulate([36.0] * 900, POD, Delays(), scaler([cpu(60)]), replicas=3)
    assert trajectory.decisions == []
    assert set(trajectory.replicas) == {3}


def test_every_request_is_answered_refused_or_still_waiting():
    small = Capacity(service_time_s=0.1, concurrency=2, max_pending=10)
    trajectory = simulate(STEP, small, Delays(), PENDING, replicas=1)
    accounted = sum(trajectory.served) + sum(trajectory.shed) + trajectory.queue[-1]
    assert accounted == pytest.approx(sum(STEP))
    assert sum(trajectory.shed) > 0


def test_the_same_seed_gives_the_same_trajectory_and_another_seed_other_phases():
    jittery = Delays(pod_start_spread=0.5)
    first, again, other = (simulate(STEP, POD, jittery, PENDING, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert [decision.second for decision in first.decisions] != [decision.second for decision in other.decisions]


@pytest.mark.parametrize("seed", range(5))
def test_a_step_is_seen_within_a_sync_and_answered_within_the_rate_limit(seed):
    trajectory = simulate(STEP, POD, Delays(pod_start_s=5), PENDING, replicas=1, seed=seed)
    first = trajectory.decisions[0]
    assert 60 <= first.second <= 60 + 30
    assert (first.before, first.after, first.reason) == (1, 4, "ScaleUpLimit")
    assert trajectory.ready[math.ceil(first.second) + 6] == 4


def test_scaling_down_waits_for_the_stabilisation_window():
    trajectory = simulate(STEP, POD, Delays(), PENDING, replicas=1)
    downs = [decision.second for decision in trajectory.decisions if decision.after < decision.before]
    assert all(second > 660 or second > 360 for second in downs)
    assert trajectory.replicas[660 + 290] >= 3
    assert trajectory.replicas[-1] == 1


def test_slower_pods_are_later():
    late = [
        score(simulate(STEP, POD, delays, PENDING, replicas=1), POD, delays, 0.3, (1, 20)).violation_s
        for delays in (Delays(pod_start_s=2), Delays(pod_start_s=60))
    ]
    assert late[0] < late[1]


def test_pods_without_a_whole_windows_figure_are_no_reason_to_scale_down():
    trajectory = simulate([5.0] * 60 + [60.0] * 600, POD, Delays(pod_start_s=20), scaler([cpu(60)]), replicas=1)
    assert trajectory.replicas == sorted(trajectory.replicas[:500]) + trajectory.replicas[500:]
    assert max(trajectory.replicas) >= 5


def test_more_than_the_api_allows_takes_its_time():
    fleet = Fleet(0, Delays(pod_start_s=0.0, creation_per_s=20), seed=1)
    fleet.scale_to(9000, 0)
    fleet.advance(449)
    assert fleet.ready < 9000
    fleet.advance(451)
    assert fleet.ready == 9000


def test_a_fleet_drops_pods_that_start_before_pods_that_serve():
    fleet = Fleet(2, Delays(pod_start_s=10, drain_s=5), seed=1)
    fleet.scale_to(6, 0)
    fleet.scale_to(3, 1)
    assert (fleet.ready, fleet.starting, fleet.draining) == (2, 1, 0)
    fleet.scale_to(1, 2)
    assert (fleet.ready, fleet.starting, fleet.draining, fleet.serving) == (1, 0, 1, 1)
    fleet.advance(8)
    assert fleet.draining == 0


def test_the_oracle_pays_for_the_start_of_every_pod_and_no_more():
    assert oracle([1, 1, 1, 4, 1, 1], 2) == [1, 4, 4, 4, 1, 1]


@given(st.floats(0.1, 2000), st.floats(0.15, 3))
def test_the_fewest_pods_that_keep_the_objective_keep_it_and_one_fewer_does_not(rate, slo):
    count = POD.needed(rate, slo, 500)
    if count < 500:
        assert POD.latency_p99(count, rate) <= slo
    if count > 1:
        assert POD.throughput(count - 1) <= rate or POD.latency_p99(count - 1, rate) > slo


@given(st.floats(0.1, 100), st.floats(0, 0.05))
def test_contention_never_makes_anything_faster(rate, contention):
    plain, contended = POD, Capacity(0.1, 2, contention)
    assert contended.throughput(10) <= plain.throughput(10)
    assert contended.latency_p99(10, rate) >= plain.latency_p99(10, rate)


def test_arrivals_of_minutes_become_seconds_and_lose_nothing(tmp_path):
    file = tmp_path / "arrivals.csv"
    file.write_text("offset_s,requests\n0,60\n60,120\n120,0\n")
    seconds = arrivals.read(file)
    assert (len(seconds), seconds[0], seconds[60]) == (180, 1.0, 2.0)
    assert sum(seconds) == pytest.approx(180)


def test_sampled_arrivals_keep_their_rate():
    assert sum(arrivals.sampled([3.0] * 5000, seed=1)) == pytest.approx(15_000, rel=0.05)
    assert sum(arrivals.sampled([300.0] * 500, seed=1)) == pytest.approx(150_000, rel=0.02)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "a,b\n1,2\n",
        "offset_s,requests\n",
        "offset_s,requests\n0,x\n",
        "offset_s,requests\n1,1\n0,1\n",
        "offset_s,requests\n0,-1\n",
    ],
)
def test_arrivals_that_are_none_are_refused(tmp_path, content):
    file = tmp_path / "arrivals.csv"
    file.write_text(content)
    with pytest.raises(InputError, match="expected"):
        arrivals.read(file)


def test_memory_is_nothing_the_model_knows_of():
    memory = {
        "type": "Resource",
        "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}},
    }
    with pytest.raises(InputError, match="expected cpu"):
        simulate([1.0] * 60, POD, Delays(), scaler([memory]))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "cpu.json").write_text(json.dumps(hpa(metrics=[cpu(60)])))
    (tmp_path / "pending.json").write_text(
        json.dumps(hpa(metrics=[external(type="AverageValue", averageValue="1400m")]))
    )
    (tmp_path / "model.yaml").write_text(
        "capacity: {service_time_s: 0.1, concurrency: 2, cpu_s: 0.05, cpu_request_m: 1000}\nslo_s: 0.5\n"
    )
    rows = "".join(f"{second},{requests}\n" for second, requests in enumerate(STEP))
    (tmp_path / "step.csv").write_text("offset_s,requests\n" + rows)
    return tmp_path


def command(files: Path, *options: str) -> int:
    given = ["--arrivals", str(files / "step.csv"), "--model", str(files / "model.yaml")]
    return main(["simulate", str(files / "cpu.json"), *given, *options])


def test_manifests_are_compared_under_one_load(files, capsys):
    assert command(files, "--compare", str(files / "pending.json"), "--output", "json") == 0
    cpu_scaled, pending_scaled = json.loads(capsys.readouterr().out)
    assert (cpu_scaled["name"], pending_scaled["name"]) == ("cpu", "pending")
    assert pending_scaled["violation_s"] < cpu_scaled["violation_s"]
    assert len(pending_scaled["replicas"]) == len(STEP)


def test_manifests_of_the_same_name_in_two_folders_are_both_shown(files, capsys):
    other = files / "other" / "cpu.json"
    other.parent.mkdir()
    other.write_text((files / "pending.json").read_text())
    assert command(files, "--compare", str(other), "--output", "json") == 0
    assert [entry["name"] for entry in json.loads(capsys.readouterr().out)] == [str(files / "cpu.json"), str(other)]


def test_the_picture_is_drawn_in_the_terminal_and_in_files(files, capsys):
    assert command(files, "--svg", str(files / "out.svg"), "--html", str(files / "out.html")) == 0
    assert "replicas ▁" in capsys.readouterr().out
    assert "<svg" in (files / "out.svg").read_text()
    page = (files / "out.html").read_text()
    assert "<table>" in page
    assert "<?xml" not in page


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("capacity: {service_time_s: 0.1}", "expected a field 'slo_s'"),
        ("slo_s: 1", "expected a field 'capacity'"),
        ("slo_s: 1\ncapacity: {concurrency: 1}", "expected a field 'service_time_s'"),
        ("slo_s: 1\ncapacity: {service_time_s: 0}", "expected service_time_s above 0"),
        ("slo_s: 1\ncapacity: {service_time_s: 1, speed: 2}", "got speed"),
        (
            "slo_s: 1\ncapacity: {service_time_s: 1}\ndelays: {sync_s: 0}",
            "delays.sync_s: expected a number from 1 on, got 0",
        ),
        ("slo_s: 1\ncapacity: {service_time_s: 1}\ndelays: {drain_s: -2}", "expected a number from 0 on, got -2"),
        ("slo_s: 1\ncapacity: {service_time_s: 1}\nsignals: {q: depth}", "expected one of pending, rate"),
    ],
)
def test_a_model_that_is_none_is_refused(files, capsys, text, complaint):
    (files / "model.yaml").write_text(text)
    assert command(files) == 2
    said = capsys.readouterr().err
    assert complaint in said
    assert said.startswith(f"tidegate-hpa: {files / 'model.yaml'}: ")


def test_of_a_file_that_is_no_model_a_few_fields_are_named(files, capsys):
    (files / "model.yaml").write_text(json.dumps(dict.fromkeys("abcdefgh", 1)))
    assert command(files) == 2
    assert capsys.readouterr().err.endswith("got a, b, c, d, e and 3 more\n")


@pytest.mark.parametrize("name", ["cpu.json", "model.yaml", "step.csv"])
def test_a_file_that_is_not_there_is_named_once(files, capsys, name):
    (files / name).unlink()
    assert command(files) == 2
    told = f"tidegate-hpa: {files / name}: expected a file that can be read: No such file or directory\n"
    assert capsys.readouterr().err == told


def test_a_file_that_is_no_manifest_is_named(files, capsys):
    (files / "cpu.json").write_text('{"steps": []}')
    assert command(files) == 2
    assert capsys.readouterr().err == (
        f"tidegate-hpa: {files / 'cpu.json'}: expected a Kubernetes object with a field 'kind', found none\n"
    )
