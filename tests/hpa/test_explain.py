"""`tidegate-hpa explain`: what goes in, what comes out, and how it fails."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tidegate_hpa.__main__ import main

NOW = "2026-01-01T00:00:00Z"
REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "hpa-explain.md"
Object = dict[str, Any]


def hpa(name: str = "web", target: str = "web", **spec: object) -> Object:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {
            "maxReplicas": 10,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target},
            "metrics": [cpu(60)],
            **spec,
        },
    }


def cpu(percent: int) -> Object:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def external(**target: object) -> Object:
    return {"type": "External", "external": {"metric": {"name": "queue"}, "target": target}}


def deployment(replicas: int = 2, **status: object) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}},
        "status": status,
    }


def pod(name: str, **status: object) -> Object:
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2025-12-31T00:00:10Z"}
    return {
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "app", "resources": {"requests": {"cpu": "100m"}}}]},
        "status": {"phase": "Running", "startTime": "2025-12-31T00:00:00Z", "conditions": [ready], **status},
    }


def usage(name: str, figure: str, **metadata: object) -> Object:
    return {
        "kind": "PodMetrics",
        "metadata": {"name": name, **metadata},
        "timestamp": NOW,
        "window": "30s",
        "containers": [{"name": "app", "usage": {"cpu": figure}}],
    }


PODS = [pod("web-0"), pod("web-1")]
USAGES = [usage("web-0", "95m"), usage("web-1", "86m")]


@dataclass(frozen=True)
class Result:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run(tmp_path, capsys):
    def explain(content: object, state: object = None, *options: str) -> Result:
        file = tmp_path / "list"
        file.write_text(content if isinstance(content, str) else json.dumps({"kind": "List", "items": content}))
        command = ["explain", *options]
        if state is not None:
            (tmp_path / "state.json").write_text(state if isinstance(state, str) else json.dumps(state))
            command += ["--state", str(tmp_path / "state.json")]
        code = main([*command, str(file)])
        printed = capsys.readouterr()
        return Result(code, printed.out, printed.err)

    return explain


@pytest.fixture
def answered(run):
    def explain(items, **state):
        result = run(items, {"now": NOW, **state}, "--output", "json")
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    return explain


def test_the_contracts_example_comes_out_as_it_stands_there(answered):
    (answer,) = answered([hpa(), deployment(), *PODS, *USAGES], recommendations=[{"replicas": 5, "ageSeconds": 60}])
    messages = [condition.pop("message") for condition in answer["conditions"]]
    assert all(messages)
    assert answer.pop("steps")
    assert answer == {
        "name": "web",
        "namespace": "default",
        "currentReplicas": 2,
        "desiredReplicas": 4,
        "scaled": True,
        "error": None,
        "metrics": [
            {
                "type": "Resource",
                "name": "cpu",
                "proposal": 3,
                "current": {"averageUtilization": 90, "averageValue": "90m"},
                "target": {"type": "Utilization", "averageUtilization": 60},
                "ready": ["web-0", "web-1"],
                "unready": [],
                "missing": [],
                "ignored": [],
                "error": None,
            }
        ],
        "recommendation": 3,
        "stabilized": 5,
        "limited": 4,
        "reason": "ScaleUpLimit",
        "conditions": [
            {"type": "AbleToScale", "status": "True", "reason": "SucceededRescale"},
            {"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound"},
            {"type": "ScalingLimited", "status": "True", "reason": "ScaleUpLimit"},
        ],
        "state": {
            "recommendations": [{"replicas": 5, "ageSeconds": 60}, {"replicas": 3, "ageSeconds": 0}],
            "scaleUpEvents": [],
            "scaleDownEvents": [],
        },
    }


def test_lists_in_lists_are_one_list_and_raw_answers_need_no_kind_of_their_own(answered):
    def without_kind(item: Object) -> Object:
        return {key: value for key, value in item.items() if key != "kind"}

    raw = {"kind": "PodMetricsList", "items": [without_kind(item) for item in USAGES]}
    queue = {"kind": "ExternalMetricValueList", "items": [{"metricName": "queue", "metricLabels": None, "value": "9"}]}
    inner = {"kind": "List", "items": [deployment(), {"kind": "PodList", "items": [without_kind(p) for p in PODS]}]}
    scaler = hpa(metrics=[cpu(60), external(type="AverageValue", averageValue="2")])
    (answer,) = answered([scaler, {"kind": "List", "items": [inner, raw, queue]}])
    assert [metric["proposal"] for metric in answer["metrics"]] == [3, 5]


def test_yaml_is_read_like_json(run):
    text = f"""\
apiVersion: v1
kind: List
items:
- kind: HorizontalPodAutoscaler
  metadata: {{name: web}}
  spec: {{maxReplicas: 5, scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: web}}, metrics: null}}
- {{apiVersion: apps/v1, kind: Deployment, metadata: {{name: web}}, spec: {{selector: {{matchLabels: {{app: web}}}}}}}}
- kind: Pod
  metadata: {{name: web-0, labels: {{app: web}}}}
  spec: {{containers: [{{name: app, resources: {{requests: {{cpu: 0.1}}}}}}]}}
  status: {{phase: Running, startTime: 2025-12-31T00:00:00Z, conditions: [{{type: Ready, status: "True"}}]}}
- kind: PodMetrics
  metadata: {{name: web-0}}
  timestamp: {NOW}
  window: 30s
  containers: [{{name: app, usage: {{cpu: 123456789n}}}}]
"""
    result = run(text, f"now: {NOW}", "--output", "json")
    (answer,) = json.loads(result.stdout)
    assert answer["metrics"][0]["current"] == {"averageUtilization": 124, "averageValue": "124m"}
    assert answer["metrics"][0]["target"] == {"type": "Utilization", "averageUtilization": 80}
    assert answer["desiredReplicas"] == 2


def test_the_answers_state_is_the_next_questions(answered):
    items = [hpa(behavior={}), deployment(), *PODS, *USAGES]
    (first,) = answered(items)
    assert first["state"]["recommendations"] == [{"replicas": 2, "ageSeconds": 0}, {"replicas": 3, "ageSeconds": 0}]
    assert first["state"]["scaleUpEvents"] == [{"change": 1, "ageSeconds": 0}]
    (second,) = answered(items, **first["state"])
    assert second["state"]["scaleUpEvents"] == [{"change": 1, "ageSeconds": 0}, {"change": 1, "ageSeconds": 0}]


def test_an_empty_list_of_recommendations_is_no_fresh_controller(answered):
    (answer,) = answered([hpa(), deployment(), *PODS, *USAGES], recommendations=[])
    assert answer["state"]["recommendations"] == [{"replicas": 3, "ageSeconds": 0}]


def test_null_is_absent_and_zero_is_a_value(answered):
    items = [hpa(metrics=[cpu(86)], behavior=None, minReplicas=None), deployment(), *PODS, *USAGES]
    (standard,) = answered(items, controller={"tolerance": None}, scaleUpEvents=None)
    (strict,) = answered(items, controller={"tolerance": 0})
    assert (standard["desiredReplicas"], strict["desiredReplicas"]) == (2, 3)


def test_a_scale_wins_over_its_object(answered):
    scale = {
        "kind": "Scale",
        "metadata": {"name": "web"},
        "spec": {"replicas": 4},
        "status": {"replicas": 3, "selector": "app in (web)"},
    }
    value = {"kind": "ExternalMetricValue", "metricName": "queue", "value": 8}
    scaler = hpa(metrics=[external(type="AverageValue", averageValue="2")])
    (answer,) = answered([scaler, deployment(), scale, value])
    assert answer["currentReplicas"] == 4
    assert answer["metrics"][0]["current"] == {"averageValue": "2667m"}


def test_metrics_of_a_pod_that_is_gone_count_when_their_labels_are_known(answered):
    average = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "AverageValue", "averageValue": "50m"}},
    }
    gone = usage("web-9", "300m", labels={"app": "web"})
    (answer,) = answered([hpa(metrics=[average]), deployment(), *PODS, *USAGES, gone])
    assert answer["metrics"][0]["current"] == {"averageValue": "160m"}
    (forgotten,) = answered([hpa(metrics=[average]), deployment(), *PODS, *USAGES, usage("web-9", "300m")])
    assert forgotten["metrics"][0]["current"] == {"averageValue": "90m"}


def test_each_hpa_has_its_own_memory_where_it_is_given_one(answered):
    other = deployment()
    other["metadata"]["name"], other["spec"]["selector"] = "other", {"matchLabels": {"app": "other"}}
    state = {"hpas": {"default/second": {"recommendations": [{"replicas": 9, "ageSeconds": 1}]}}}
    first, second = answered(
        [hpa(), deployment(), *PODS, *USAGES, hpa("second", "other"), other], recommendations=[], **state
    )
    assert (first["name"], second["name"]) == ("web", "second")
    assert second["state"]["recommendations"] == [{"replicas": 9, "ageSeconds": 1}]
    assert second["error"].startswith("failed to compute desired number of replicas based on listed metrics for ")


def test_two_hpas_on_one_target_both_stand_still(answered):
    for answer in answered([hpa(), hpa("rival"), deployment(), *PODS, *USAGES]):
        assert answer["conditions"][-1]["reason"] == "AmbiguousSelector"
        assert not answer["scaled"]
        assert answer["metrics"] == []


def test_a_target_at_zero_disables_and_above_max_is_cut_without_a_look_at_metrics(answered):
    (disabled,) = answered([hpa(), deployment(0), *PODS, *USAGES])
    assert [c["reason"] for c in disabled["conditions"]] == ["SucceededGetScale", "ScalingDisabled"]
    (above,) = answered([hpa(behavior={}), deployment(12), *PODS, *USAGES])
    assert (above["desiredReplicas"], above["metrics"], above["limited"]) == (10, [], None)
    assert above["state"]["scaleDownEvents"] == [{"change": 2, "ageSeconds": 0}]


def test_a_target_that_is_not_there_is_an_answer(answered):
    (answer,) = answered([hpa()])
    assert answer["error"] == (
        'failed to query scale subresource for Deployment/default/web: deployments.apps "web" not found'
    )
    assert answer["currentReplicas"] is None
    assert answer["conditions"][0]["reason"] == "FailedGetScale"


def test_figures_saturate_instead_of_wrapping(answered):
    values = [{"kind": "ExternalMetricValue", "metricName": "queue", "value": "9223372036854775807m"}] * 2
    scaler = hpa(metrics=[external(type="AverageValue", averageValue="1m")], maxReplicas=2147483647)
    (answer,) = answered([scaler, deployment(), *values])
    assert answer["metrics"][0]["proposal"] == 2147483647
    assert answer["metrics"][0]["current"] == {"averageValue": "9223372036854775807m"}


def test_a_metric_error_is_an_answer_and_unusable_input_is_exit_code_2(run):
    result = run([hpa(), deployment(), *PODS], {"now": NOW}, "--output", "json")
    assert result.returncode == 0
    assert "no metrics returned from resource metrics API" in json.loads(result.stdout)[0]["error"]


@pytest.mark.parametrize(
    ("content", "state", "complaint"),
    [
        ("{", None, "expected JSON or YAML"),
        ("a: [", None, "expected JSON or YAML"),
        ("just words", None, "expected a Kubernetes object"),
        ("", None, "expected at least one HorizontalPodAutoscaler"),
        ("kind: List\nitems: &within [*within]", None, "expected lists that end"),
        ([deployment()], None, "expected at least one HorizontalPodAutoscaler"),
        ([{"metadata": {"name": "x"}}], None, "with a field 'kind', found none"),
        ([hpa(maxReplicas="ten")], None, "spec.maxReplicas: expected an integer, got 'ten'"),
        ([hpa(minReplicas=2.5)], None, "spec.minReplicas: expected an integer"),
        ([hpa(metrics=[external(averageValue="much")])], None, "expected a quantity"),
        ([hpa(metrics=[{"type": "Pods"}])], None, "expected a field 'pods'"),
        ([hpa()], "[]", "expected an object"),
        ([hpa()], {"now": "today"}, "RFC 3339"),
        ([hpa()], {"controller": {"tolerance": "0.1"}}, "controller.tolerance: expected a number"),
        ([hpa()], {"recommendations": [{"replicas": 1}]}, "expected 'replicas' and 'ageSeconds'"),
        ([hpa()], "{", "expected JSON or YAML"),
        (
            [hpa()],
            "recommendations: [{replicas: .inf, ageSeconds: 1}]",
            "recommendations[0].replicas: expected an integer",
        ),
        (
            [hpa()],
            "recommendations: [{replicas: 1, ageSeconds: .nan}]",
            "recommendations[0].ageSeconds: expected a number",
        ),
        ([hpa(metrics=[external(value="9" * 5000)])], None, "expected a quantity"),
    ],
)
def test_unusable_input_says_what_was_expected_and_prints_no_answer(run, content, state, complaint):
    result = run(content, state, "--output", "json")
    assert (result.returncode, result.stdout) == (2, "")
    assert complaint in result.stderr


def test_a_file_that_is_not_there_is_exit_code_2():
    command = [sys.executable, "-m", "tidegate_hpa", "explain", "/nowhere/list.json"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert "/nowhere/list.json: expected a file that can be read" in result.stderr


def test_a_reader_that_has_seen_enough_gets_no_traceback(tmp_path):
    (tmp_path / "list.json").write_text(json.dumps({"kind": "List", "items": [hpa(), deployment(), *PODS, *USAGES]}))
    command = [sys.executable, "-m", "tidegate_hpa", "explain", str(tmp_path / "list.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as explaining:
        assert explaining.stdout
        assert explaining.stderr
        explaining.stdout.close()
        complaint = explaining.stderr.read()
    assert (explaining.returncode, complaint) == (141, "")


@pytest.mark.parametrize(
    ("unknown", "named"),
    [({"recomendations": []}, "'recomendations'"), ({"controller": {"tolerence": 0.2}}, "'controller.tolerence'")],
)
def test_an_unknown_name_in_the_state_is_mentioned_but_does_not_stop(run, unknown, named):
    result = run([hpa(), deployment(), *PODS, *USAGES], {"now": NOW, **unknown}, "--output", "json")
    assert result.returncode == 0
    assert named in result.stderr


def test_the_text_goes_step_by_step_to_the_next_number(run):
    result = run([hpa(), deployment(), *PODS, *USAGES], {"now": NOW})
    lines = result.stdout.splitlines()
    assert lines[0] == "default/web"
    assert any("target averageUtilization 60" in line for line in lines)
    assert "2 → 3" in lines[-1]
    assert "\x1b" not in result.stdout


def test_the_reference_shows_the_text_as_it_is(run):
    shown = REFERENCE.read_text().split("```\n")[1]
    assert run([hpa(), deployment(), *PODS, pod("web-2"), *USAGES], {"now": NOW}).stdout == shown


def test_the_text_says_who_is_left_out_and_why_and_what_is_made_of_it(run):
    pods = [
        *PODS,
        pod("web-2", phase="Pending"),
        pod("web-3", phase="Failed"),
        *map(pod, ("a", "b", "c", "d", "e", "f")),
    ]
    text = run([hpa(), deployment(2), *pods, *USAGES], {"now": NOW}).stdout
    for said in (
        "pods that count: 2",
        "unready (pending, or its CPU is still that of its start): web-2",
        "missing (there is no figure of it): a, b, c, d, e and 1 more",
        "ignored (it failed or is being deleted): web-3",
        "missing pods (6) are taken to use nothing",
        "now averageUtilization 90 %, averageValue 90m",
    ):
        assert said in text


def test_the_text_names_an_error_once_and_says_why_it_holds_everything_up(run):
    asked = hpa(metrics=[external(averageValue="5"), cpu(60)])
    value = {"kind": "ExternalMetricValue", "metricName": "queue", "value": "5"}
    text = run([asked, deployment(2), *PODS, value], {"now": NOW}).stdout
    assert text.count("no metrics returned from resource metrics API") == 1
    assert "1 of 2 metrics failed, and one that failed may need the replicas" in text
    alone = run([hpa(), deployment(2), *PODS], {"now": NOW}).stdout
    assert "nothing is decided: no metric could be computed" in alone


@pytest.mark.parametrize("behavior", [None, {"scaleDown": {"stabilizationWindowSeconds": 300}}])
def test_ages_that_are_sums_of_floats_are_as_old_as_the_seconds_that_they_mean(answered, behavior):
    summed = sum([1.1] * 300) - 30
    assert summed != 300
    items = [hpa(behavior=behavior), deployment(), *PODS, usage("web-0", "5m"), usage("web-1", "5m")]
    (exact,) = answered(items, recommendations=[{"replicas": 9, "ageSeconds": 300}])
    (near,) = answered(items, recommendations=[{"replicas": 9, "ageSeconds": summed}])
    assert near["stabilized"] == exact["stabilized"]
    kept = [[entry["ageSeconds"] for entry in answer["state"]["recommendations"]] for answer in (exact, near)]
    assert kept == [[300, 0], [summed, 0]]


def test_a_window_that_is_full_of_nothing_but_a_guess_is_told_as_one(run):
    items = [hpa(), deployment(2), *PODS, usage("web-0", "5m"), usage("web-1", "5m")]
    assert "--state says what it remembers" in run(items).stdout
    assert "--state" not in run(items, {"now": NOW}).stdout


def test_an_error_names_the_file_that_it_is_in(run):
    assert "/list: items[0].spec.minReplicas: expected an integer, got 1.5" in run([hpa(minReplicas=1.5)]).stderr
    assert "/state.json: now: expected an RFC 3339 timestamp" in run([hpa()], {"now": "noon"}).stderr


def test_a_state_of_an_hpa_that_is_not_there_is_mentioned(run):
    result = run([hpa(), deployment(), *PODS, *USAGES], {"now": NOW, "hpas": {"web": {}}})
    assert result.returncode == 0
    assert "'web' is no HPA of the input (expected one of default/web)" in result.stderr


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        (
            {"type": "Resource", "resource": {"name": "cpu"}},
            "neither an average utilization target nor an average value",
        ),
        ({"type": "Pods", "pods": {}}, "no average value target was set"),
        (
            {"type": "External", "external": {"metric": {"name": "queue"}}},
            "neither a value target nor an average value",
        ),
    ],
)
def test_a_metric_without_a_target_is_answered_though_the_api_server_would_refuse_it(answered, metric, said):
    (answer,) = answered([hpa(metrics=[metric]), deployment(), *PODS])
    assert said in answer["metrics"][0]["error"]
    assert answer["metrics"][0]["target"] == {}


def test_a_selector_that_is_none_leaves_the_target_without_a_scale(answered):
    broken = deployment()
    broken["spec"]["selector"] = {"matchExpressions": [{"key": "app", "operator": "Is", "values": ["web"]}]}
    (answer,) = answered([hpa(), broken, *PODS])
    assert answer["conditions"][0]["reason"] == "FailedGetScale"
    assert answer["error"].endswith('"Is" is not a valid label selector operator')


def test_a_pod_that_is_in_the_list_twice_is_one_pod(answered):
    (answer,) = answered([hpa(), deployment(), *PODS, *PODS, *USAGES])
    assert (answer["metrics"][0]["ready"], answer["metrics"][0]["proposal"]) == (["web-0", "web-1"], 3)


@pytest.mark.parametrize(("version", "utilization"), [("autoscaling/v1", 20), ("autoscaling/v2", 80)])
def test_only_the_first_version_says_its_target_without_metrics(answered, version, utilization):
    asked = {**hpa(metrics=None, targetCPUUtilizationPercentage=20), "apiVersion": version}
    (answer,) = answered([asked, deployment(), *PODS, *USAGES])
    assert answer["metrics"][0]["target"]["averageUtilization"] == utilization


@pytest.mark.parametrize(("resources", "percent"), [({}, 50), ({"requests": {"memory": "1Gi"}}, 66)])
def test_requests_of_a_pod_are_summed_before_they_are_rounded_if_it_has_some_of_its_own(answered, resources, percent):
    one = pod("web-0")
    container = {"resources": {"requests": {"cpu": "1500u", "memory": "1Mi"}}}
    one["spec"] = {"containers": [{"name": "app", **container}, {"name": "proxy", **container}], "resources": resources}
    (answer,) = answered([hpa(), deployment(1), one, usage("web-0", "2m")])
    assert answer["metrics"][0]["current"]["averageUtilization"] == percent
