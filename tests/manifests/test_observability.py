"""Rules and dashboard say what they should, of metrics that exist."""

import json
import re
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tests.manifests.alert_cases import CASES, Case, Series
from tests.manifests.kustomizations import over_base
from tests.manifests.promql import Selector, selectors
from tests.manifests.rendering import ROOT
from tests.manifests.schemas import module_folder
from tests.tools import tool
from tidegate_serving.metrics import RequestMetrics
from tidegate_web.metrics import Metrics

COMPONENT = "k8s/components/observability"
KUBE_STATE_METRICS = "k8s.io/kube-state-metrics/v2@v2.15.0", "h1:0qSA+hVCj5p2QSYnbz6NPNflct3C1kPAIhF8ZtMKpIk="
OF_THE_TARGET = {"namespace", "pod", "container", "endpoint", "instance", "job", "le"}
"""Labels that a scrape adds, and the one of histograms."""

Names = dict[str, set[str]]
"""Labels by metric."""


def rule_groups() -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = over_base(COMPONENT)["PrometheusRule", "tidegate"]["spec"]["groups"]
    return groups


def rules(kind: str) -> list[dict[str, Any]]:
    """The rules that record, or those that alert."""
    return [rule for group in rule_groups() for rule in group["rules"] if kind in rule]


def dashboard() -> dict[str, Any]:
    (text,) = over_base(COMPONENT)["ConfigMap", "tidegate-dashboard"]["data"].values()
    return dict(json.loads(text))


def queries() -> list[str]:
    return [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]


def promtool(folder: Path, *arguments: str, **files: object) -> None:
    for name, content in files.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    done = subprocess.run([tool("promtool"), *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def scraped(page: str) -> Names:
    names: Names = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            names.setdefault(sample.name, set()).update(sample.labels)
    return names


@pytest.fixture(scope="module")
def known() -> Names:
    """The metrics of a gateway that has done everything once, of a model server, and what the rules record of them."""
    web, serving = Metrics(), RequestMetrics(frozenset({"gate"}).__contains__)
    web.requests.labels("predict", "POST", "200").inc()
    web.duration.labels("predict").observe(0.1)
    web.shed.labels("deadline").inc()
    backend = web.of_backend("10.0.0.9:8500")
    backend.outstanding(1)
    backend.answered("OK")
    serving.observe("gate", ("Predict", "GRPC"), "OK", 0.1)
    recorded = {rule["record"]: {"namespace", "backend"} for rule in rules("record")}
    return scraped(generate_latest(web.registry).decode()) | scraped(serving.page()) | recorded | {"up": set()}


@pytest.fixture(scope="module")
def documented_by_kube_state_metrics() -> Names:
    folder = module_folder(*KUBE_STATE_METRICS) / "docs/metrics/workload"
    rows = "".join((folder / f"{kind}-metrics.md").read_text() for kind in ("horizontalpodautoscaler", "deployment"))
    return {
        name: set(re.findall(r"`(\w+)`=", rest))
        for name, rest in re.findall(r"^\| (kube_\w+) +\|(.*)$", rows, re.MULTILINE)
    }


def unknown(found: Selector, names: Names) -> frozenset[str]:
    """What a selector names that is not there: the metric, or some of its labels."""
    if found.metric not in names:
        return frozenset({found.metric})
    return found.labels - names[found.metric] - OF_THE_TARGET


@pytest.mark.parametrize("expression", [*(rule["expr"] for rule in (*rules("record"), *rules("alert"))), *queries()])
def test_every_metric_and_label_that_is_named_exists(expression, known, documented_by_kube_state_metrics):
    found = selectors(expression)
    assert found
    names = known | documented_by_kube_state_metrics
    assert {selector.metric: missing for selector in found if (missing := unknown(selector, names))} == {}


def test_a_metric_or_label_that_does_not_exist_would_be_noticed(known):
    (wrong_name,) = selectors("rate(tidegate_request_total[5m])")
    (wrong_label,) = selectors('sum(tidegate_requests_total{code="200"})')
    assert unknown(wrong_name, known) == {"tidegate_request_total"}
    assert unknown(wrong_label, known) == {"code"}


def test_a_gateway_that_has_called_nobody_yet_counts_its_model_servers():
    """Else an idle gateway would fire TidegateNoModelServer."""
    metrics = Metrics()
    backend = metrics.of_backend("10.0.0.9:8500")
    assert "tidegate_backend_outstanding" in scraped(generate_latest(metrics.registry).decode())
    backend.remove()
    assert "tidegate_backend_outstanding" not in scraped(generate_latest(metrics.registry).decode())


def test_promtool_takes_the_rules(tmp_path):
    promtool(tmp_path, "check", "rules", "--lint=all", "--lint-fatal", "rules.yaml", rules={"groups": rule_groups()})


def test_promtool_takes_every_query_of_the_dashboard(tmp_path):
    filled = [query.replace("$__rate_interval", "1m").replace("$namespace", "n") for query in queries()]
    assert not any("$" in query for query in filled)
    group = {"name": "dashboard", "rules": [{"record": f"q{i}", "expr": query} for i, query in enumerate(filled)]}
    promtool(tmp_path, "check", "rules", "rules.yaml", rules={"groups": [group]})


def on_trial(alert: str, series: Series, labels: str | None) -> dict[str, Any]:
    """One of promtool's tests: an hour of series, and what is firing at its end."""
    expected = (
        [{"labels": f'ALERTS{{alertname="{alert}", alertstate="firing", {labels}}}', "value": 1}] if labels else []
    )
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {"expr": f'ALERTS{{alertname="{alert}", alertstate="firing"}}', "eval_time": "59m", "exp_samples": expected}
        ],
    }


@pytest.mark.parametrize(("alert", "case"), CASES.items(), ids=CASES)
def test_an_alert_fires_when_it_should_and_only_then(alert: str, case: Case, tmp_path):
    tests = [
        on_trial(alert, case.fires, f'{case.labels}, severity="{case.severity}"'),
        on_trial(alert, case.silent, None),
    ]
    trial = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}
    promtool(tmp_path, "test", "rules", "trial.yaml", rules={"groups": rule_groups()}, trial=trial)


def test_every_alert_has_been_on_trial():
    assert CASES.keys() == {rule["alert"] for rule in rules("alert")}


@pytest.mark.parametrize("rule", rules("alert"), ids=lambda rule: rule["alert"])
def test_an_alert_says_what_to_do(rule):
    annotations = rule["annotations"]
    anchor = re.sub(r"(?<!^)(?=[A-Z])", "-", rule["alert"]).lower()
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert annotations["summary"]
    assert "$labels.namespace" in annotations["description"]
    assert annotations["runbook_url"] == f"docs/how-to/troubleshooting.md#{anchor}"
    assert f'<a id="{anchor}"></a>' in (ROOT / "docs/how-to/troubleshooting.md").read_text()


def test_the_share_of_failures_is_zero_before_the_first_one(tmp_path):
    record = "namespace:tidegate_requests_failed:ratio_rate5m"
    test = {
        "interval": "1m",
        "input_series": [{"series": 'tidegate_requests_total{namespace="n", status="200"}', "values": "0+9x60"}],
        "promql_expr_test": [
            {"expr": record, "eval_time": "30m", "exp_samples": [{"labels": f'{record}{{namespace="n"}}', "value": 0}]}
        ],
    }
    trial = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]}
    promtool(tmp_path, "test", "rules", "trial.yaml", rules={"groups": rule_groups()}, trial=trial)


@pytest.mark.parametrize("tier", ["web", "serving"])
def test_each_tier_is_scraped_where_its_pods_listen(tier):
    rendered = over_base(COMPONENT)
    monitor = rendered["PodMonitor", f"tidegate-{tier}"]["spec"]
    template = rendered["Deployment", f"tidegate-{tier}"]["spec"]["template"]
    assert monitor["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    (endpoint,) = monitor["podMetricsEndpoints"]
    ports = {port["name"]: port["containerPort"] for port in template["spec"]["containers"][0]["ports"]}
    assert (ports[endpoint["port"]], endpoint["path"]) == {
        "web": (8081, "/metrics"),
        "serving": (8501, "/monitoring/prometheus/metrics"),
    }[tier]


def test_grafana_finds_the_dashboard_and_every_panel_its_place():
    assert over_base(COMPONENT)["ConfigMap", "tidegate-dashboard"]["metadata"]["labels"]["grafana_dashboard"] == "1"
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert all(panel["description"] and panel["fieldConfig"]["defaults"]["unit"] for panel in panels)
    assert {panel["datasource"]["uid"] for panel in panels} == {"${datasource}"}


def test_the_dashboard_file_is_what_is_deployed():
    assert json.loads((ROOT / COMPONENT / "dashboard.json").read_text()) == dashboard()


def test_the_how_tos_patch_gives_every_object_of_the_operator_the_label_that_it_selects():
    (block,) = re.findall(
        r"^```yaml\npatches:\n(.*?)^```", (ROOT / "docs/how-to/observe.md").read_text(), re.MULTILINE | re.DOTALL
    )
    rendered = over_base(COMPONENT, patches=textwrap.dedent(block))
    labelled = {kind for (kind, _), manifest in rendered.items() if "release" in manifest["metadata"]["labels"]}
    assert labelled == {"PodMonitor", "PrometheusRule"}
