"""What commonly breaks is told apart, from the objects alone."""

import json

import pytest

from tests.hpa.test_explain import NOW, PODS, USAGES, Object, cpu, deployment, external, hpa, pod, usage
from tidegate_hpa import documents, snapshot, state
from tidegate_hpa.__main__ import main
from tidegate_hpa.diagnoses import diagnose
from tidegate_hpa.explain import explain


def problems(*items: Object) -> list[str]:
    taken = snapshot.take(documents.parse(json.dumps({"kind": "List", "items": items}), "list"))
    started = state.read(documents.parse(json.dumps({"now": NOW}), "state")[0])
    result = explain(taken, started)[0]
    found = diagnose(taken, result, started.settings)
    assert all(diagnosis.remedy for diagnosis in found)
    return [diagnosis.problem for diagnosis in found]


def with_template(resources: Object, **container: object) -> Object:
    target = deployment()
    target["spec"]["template"] = {"spec": {"containers": [{"name": "app", "resources": resources, **container}]}}
    return target


def test_an_hpa_that_does_its_work_has_no_complaint():
    assert problems(hpa(), deployment(), *PODS, *USAGES) == []


def test_a_target_that_is_not_there():
    (problem,) = problems(hpa(target="wbe"), deployment())
    assert "Deployment wbe is not there" in problem


def test_a_target_that_a_file_does_not_have_is_told_as_missing_there(tmp_path, capsys):
    file = tmp_path / "web.json"
    file.write_text(json.dumps(hpa()))
    assert main(["explain", str(file)]) == 0
    said = capsys.readouterr().out
    assert f"! {file} has no Deployment web in the HPA's namespace" in said
    assert "kubectl get" not in said


def test_a_target_without_an_api_version():
    scaler = hpa()
    del scaler["spec"]["scaleTargetRef"]["apiVersion"]
    (problem,) = problems(scaler, deployment(), *PODS, *USAGES)
    assert "scaleTargetRef has no apiVersion" in problem


def test_a_target_at_zero():
    (problem,) = problems(hpa(), deployment(0))
    assert "scaled to 0" in problem


def test_two_hpas_on_the_same_pods():
    (problem,) = problems(hpa(), hpa("rival"), deployment(), *PODS, *USAGES)
    assert "default/rival default/web" in problem


def test_a_container_without_a_request():
    bare = pod("web-0")
    bare["spec"]["containers"].append({"name": "proxy"})
    found = problems(hpa(), deployment(), bare, pod("web-1"), *USAGES)
    assert any("missing request for cpu in container proxy of Pod web-0" in problem for problem in found)


@pytest.mark.parametrize("metric", [cpu(60), external(type="AverageValue", averageValue="5")])
def test_a_metric_that_is_not_there(metric):
    (problem,) = problems(hpa(metrics=[metric]), deployment(), *PODS)
    assert "there is no figure of" in problem


def test_pods_that_are_all_starting():
    started = [pod(f"web-{index}", phase="Pending") for index in range(2)]
    (problem,) = problems(hpa(), deployment(), *started, *USAGES)
    assert "no pod counts yet" in problem


def test_a_target_above_what_a_pod_can_reach():
    resources: Object = {"requests": {"cpu": "100m"}, "limits": {"cpu": "100m"}}
    (problem,) = problems(hpa(metrics=[cpu(95)]), with_template(resources), *PODS, *USAGES)
    assert "can reach 100 %" in problem
    assert problems(hpa(metrics=[cpu(80)]), with_template(resources), *PODS, *USAGES) == []


def test_replicas_that_an_apply_sets_too():
    target = deployment()
    target["metadata"]["managedFields"] = [
        {"manager": "argocd", "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
        {"manager": "kubectl-client-side-apply", "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
        {"manager": "kube-controller-manager", "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
    ]
    (problem,) = problems(hpa(), target, *PODS, *USAGES)
    assert problem.startswith("argocd sets spec.replicas of web too")
    target["metadata"]["managedFields"] = []
    last = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps({"spec": {"replicas": 2}})}
    target["metadata"]["annotations"] = last
    (problem,) = problems(hpa(), target, *PODS, *USAGES)
    assert problem.startswith("kubectl apply sets spec.replicas of web too")
    target["metadata"]["annotations"] = {next(iter(last)): json.dumps({"spec": {"paused": False}})}
    assert problems(hpa(), target, *PODS, *USAGES) == []


def test_an_admission_limit_below_what_the_fleet_is_to_hold():
    env = [{"name": "TIDEGATE_MAX_INFLIGHT", "value": "8"}, {"name": "TIDEGATE_MAX_QUEUE", "value": "8"}]
    gateway = with_template({}, env=env)
    gateway["metadata"]["name"] = "gateway"
    gateway["spec"]["replicas"] = 1
    queue = {"kind": "ExternalMetricValue", "metricName": "queue", "value": "16"}
    scaler = hpa(metrics=[external(type="AverageValue", averageValue="4")])
    (problem,) = problems(scaler, deployment(), gateway, *PODS, queue)
    assert "let 16 predictions in, which at 4 a pod asks for 4 pods" in problem
    env.append({"name": "TIDEGATE_INFLIGHT_PER_BACKEND", "value": "1"})
    assert problems(scaler, deployment(), gateway, *PODS, queue) == []


def test_more_asked_for_than_max_replicas():
    found = problems(hpa(maxReplicas=2), deployment(), *PODS, usage("web-0", "900m"), usage("web-1", "900m"))
    assert any("maxReplicas is 2" in problem for problem in found)
