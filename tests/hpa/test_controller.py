"""Cases that Kubernetes 1.35.0's own HorizontalController answered (oracle/README.md), and its own tests' figures."""

import json
import lzma
import re

import pytest

from tests.hpa.oracle.comparison import differences, ours
from tests.hpa.oracle.record import RECORDED
from tidegate_hpa import labels
from tidegate_hpa.node import Node
from tidegate_hpa.proposal import Sample, calc_replicas
from tidegate_hpa.settings import Tolerances
from tidegate_hpa.usage import Tally, get_resource_utilization_ratio

NO_REQUIREMENT = "unable to parse requirement: "
NO_INTEGER = "for 'Gt', 'Lt' operators, the value must be an integer"
NO_KEY = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
CASES = [json.loads(line) for line in lzma.decompress(RECORDED.read_bytes()).splitlines()]


def test_every_recorded_case_is_answered_as_the_controller_does():
    wrong = {index: found for index, case in enumerate(CASES) if (found := differences(ours(case), case["answers"]))}
    assert not wrong


def test_the_recorded_cases_reach_every_reason():
    reasons = {
        condition["reason"] for case in CASES for answer in case["answers"] for condition in answer["conditions"]
    }
    assert reasons >= {
        "AmbiguousSelector",
        "DesiredWithinRange",
        "FailedGetContainerResourceMetric",
        "FailedGetExternalMetric",
        "FailedGetObjectMetric",
        "FailedGetPodsMetric",
        "FailedGetResourceMetric",
        "FailedGetScale",
        "InvalidSelector",
        "ReadyForNewScale",
        "ScaleDownLimit",
        "ScaleDownStabilized",
        "ScaleUpLimit",
        "ScaleUpStabilized",
        "ScalingDisabled",
        "SucceededGetScale",
        "SucceededRescale",
        "TooFewReplicas",
        "TooManyReplicas",
        "ValidMetricFound",
    }


@pytest.mark.parametrize(
    ("title", "current", "target", "usages", "requested", "missing", "unready", "expected"),
    [
        # kubernetes v1.35.0, replica_calculator_test.go: the same figures
        ("scale up", 3, 30, [300, 500, 700], 1000, 0, 0, 5),
        ("unready pods lessen a scale-up", 3, 30, [500, 700], 1000, 0, 1, 4),
        ("scale down", 5, 50, [100, 300, 500, 250, 250], 1000, 0, 0, 3),
        ("tolerance", 3, 100, [1010, 1030, 1020], 1000, 0, 0, 3),
        ("missing pods hold a scale-down back", 4, 100, [400, 95], 1000, 2, 0, 3),
        ("missing pods, at the target", 2, 100, [1000], 1000, 1, 0, 2),
        ("missing pods, above the target", 2, 100, [1900], 1000, 1, 0, 2),
        ("missing pods, below the target", 2, 100, [600], 1000, 1, 0, 2),
    ],
)
def test_utilisation_asks_for_what_the_controllers_own_tests_say(
    title, current, target, usages, requested, missing, unready, expected
):
    sample = Sample(
        ready_count=len(usages),
        measured=Tally(sum(usages), requested * len(usages), len(usages), len(usages)),
        missing=Tally(0, requested * missing, missing, missing),
        missing_usage=missing * requested * max(100, target) // 100,
        unready=Tally(0, requested * unready, unready, unready),
    )
    proposal = calc_replicas(
        current, sample, lambda tally: get_resource_utilization_ratio(tally, target), Tolerances(0.1, 0.1)
    )
    assert proposal.replicas == expected, title


@pytest.mark.parametrize(
    ("text", "labelled", "matches"),
    [
        ("app=web", {"app": "web"}, True),
        ("app==web,tier!=db", {"app": "web"}, True),
        ("app in (web, shop)", {"app": "shop"}, True),
        ("app notin (web)", {}, True),
        ("app", {"app": ""}, True),
        ("!app", {"app": "web"}, False),
        ("size>3", {"size": "4"}, True),
        ("size<3", {"size": "4"}, False),
        ("size>3", {"size": "many"}, False),
        ("app=", {"app": ""}, True),
        ("app in (,web)", {"app": ""}, True),
    ],
)
def test_a_selector_finds_what_kubernetes_finds(text, labelled, matches):
    assert labels.parse(text).matches(labelled) is matches


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("app in web", "unable to parse requirement: found 'web' expected: '('"),
        ("app=web,", "found '', expected: identifier after ','"),
        (",app", "found ',', expected: !, identifier, or 'end of string'"),
        ("app in (web", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("app in (,", "unable to parse requirement: found '', expected: ',', or identifier"),
        ("app in (=", "unable to parse requirement: found '=', expected: ',', ')' or identifier"),
        ("size>many", f'{NO_REQUIREMENT}values[0]: Invalid value: "many": {NO_INTEGER}'),
        ("=web", "found '=', expected: !, identifier, or 'end of string'"),
        ("app=web tier=front", "found 'tier', expected: ',' or 'end of string'"),
        ("app web", "unable to parse requirement: found 'web', expected: in, notin, =, ==, !=, gt, lt"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        ("-app", f'{NO_REQUIREMENT}<nil>: Invalid value: "-app": name part {NO_KEY}'),
    ],
)
def test_a_selector_that_is_none_is_refused_in_kubernetes_words(text, words):
    with pytest.raises(labels.SelectorError, match=f"^{re.escape(words)}$"):
        labels.parse(text)


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [
        ("a/b/c", "x", "with an optional DNS subdomain prefix"),
        ("/b", "x", "prefix part must be non-empty"),
        ("Up/b", "x", "prefix part a lowercase RFC 1123 subdomain"),
        ("example.com/", "x", "name part must be non-empty; name part must consist"),
        ("k" * 64, "x", "name part must be no more than 63 bytes"),
        ("b", "v" * 64, r"values\[0\]\[b\]: Invalid value: \"v{64}\": must be no more than 63 bytes"),
        ("b", "a b", "a valid label must be an empty string or consist"),
    ],
)
def test_a_label_that_is_none_makes_no_selector(key, value, word):
    with pytest.raises(labels.SelectorError, match=word):
        labels.from_object(Node({"matchLabels": {key: value}}, ""))


def test_a_selector_object_prints_as_the_api_server_writes_it_into_a_scale():
    selector = {
        "matchLabels": {"b": "2"},
        "matchExpressions": [
            {"key": "c", "operator": "In", "values": ["y", "x"]},
            {"key": "a", "operator": "DoesNotExist"},
            {"key": "d", "operator": "Exists"},
        ],
    }
    assert str(labels.from_object(Node(selector, ""))) == "!a,b=2,c in (x,y),d"
