"""For each alert, series that should fire it and series that should not, a minute apart, in promtool's notation."""

from dataclasses import dataclass

Series = dict[str, str]

LONG = "x60"
WEB, SERVING = (
    '{namespace="n", horizontalpodautoscaler="tidegate-web"',
    '{namespace="n", deployment="tidegate-serving"}',
)
"""Heads of kube-state-metrics' series."""


@dataclass(frozen=True)
class Case:
    """An alert on trial for an hour.

    Attributes:
        fires: Series that should fire it.
        silent: Series that should not.
        labels: What the alert says of where it is, besides its severity.
    """

    fires: Series
    silent: Series
    severity: str
    labels: str = 'namespace="n"'


def requests(ok: int, failed: int) -> Series:
    """Give requests a minute."""
    return {f'tidegate_requests_total{{namespace="n", status="{status}"}}': f"0+{count}{LONG}"
            for status, count in (("200", ok), ("503", failed))}  # fmt: skip


def durations(slow: int) -> Series:
    """Give a hundred requests a minute, of which some take more than a second."""
    head = 'tidegate_request_duration_seconds_bucket{namespace="n", le='
    return {
        f'{head}"1.0"}}': f"0+{100 - slow}{LONG}",
        f'{head}"2.5"}}': f"0+100{LONG}",
        f'{head}"+Inf"}}': f"0+100{LONG}",
    }


def calls(failed: int, retried: int = 0) -> Series:
    """Give a hundred calls a minute to one model server."""
    head = 'tidegate_backend_requests_total{namespace="n", backend="b", code='
    return {f'{head}"OK"}}': f"0+{100 - failed}{LONG}", f'{head}"UNAVAILABLE"}}': f"0+{failed}{LONG}",
            'tidegate_retries_total{namespace="n"}': f"0+{retried}{LONG}"}  # fmt: skip


def tier(pending: int, backends: int) -> Series:
    """Give two gateways, of which one is slower to learn of model servers."""
    return {
        **{f'tidegate_build_info{{namespace="n", pod="{pod}"}}': f"1{LONG}" for pod in "ab"},
        **{
            f'tidegate_serving_pending_predictions_average{{namespace="n", pod="{pod}"}}': f"{pending}{LONG}"
            for pod in "ab"
        },
        **{
            f'tidegate_backend_outstanding{{namespace="n", pod="a", backend="{number}"}}': f"0{LONG}"
            for number in range(backends)
        },
    }


def versions(old_gone_after: int) -> Series:
    """Give two versions of the gateway, one of which goes after some minutes."""
    return {
        'tidegate_build_info{namespace="n", version="1"}': f"1x{old_gone_after} _x{60 - old_gone_after}",
        'tidegate_build_info{namespace="n", version="2"}': f"1{LONG}",
    }


def autoscaler(desired: str, active: int = 1) -> Series:
    """Give an autoscaler of at most six, and another one's that is none of ours."""
    head = "kube_horizontalpodautoscaler_"
    stranger = WEB.replace("tidegate-web", "other")
    return {
        f"{head}status_desired_replicas{WEB}}}": desired,
        f"{head}spec_max_replicas{WEB}}}": f"6{LONG}",
        f'{head}status_condition{WEB}, condition="ScalingActive", status="false"}}': f"{1 - active}{LONG}",
        f"{head}status_desired_replicas{stranger}}}": f"6{LONG}",
        f"{head}spec_max_replicas{stranger}}}": f"6{LONG}",
        f'{head}status_condition{stranger}, condition="ScalingActive", status="false"}}': f"1{LONG}",
    }


def deployment(wanted: int, available: int) -> Series:
    return {
        f"kube_deployment_spec_replicas{SERVING}": f"{wanted}{LONG}",
        f"kube_deployment_status_replicas_available{SERVING}": f"{available}{LONG}",
    }


OF_AUTOSCALER = 'horizontalpodautoscaler="tidegate-web", namespace="n"'

CASES = {
    "TidegateRequestsFailing": Case(requests(94, 6), requests(96, 4), "critical"),
    "TidegateSlow": Case(durations(slow=2), durations(slow=0), "warning"),
    "TidegateShedding": Case(
        requests(100, 0) | {'tidegate_shed_total{namespace="n", reason="queue_full"}': f"0+2{LONG}"},
        requests(1000, 0) | {'tidegate_shed_total{namespace="n", reason="queue_full"}': f"0+2{LONG}"},
        "warning",
    ),
    "TidegateMixedVersions": Case(versions(old_gone_after=60), versions(old_gone_after=20), "warning"),
    "TidegateNoModelServer": Case(tier(0, backends=0), tier(0, backends=1), "critical"),
    "TidegateModelServerFailing": Case(calls(failed=21), calls(failed=19), "warning", 'backend="b", namespace="n"'),
    "TidegateRetrying": Case(calls(0, retried=6), calls(0, retried=4), "warning"),
    "TidegateModelServersBehind": Case(tier(130, backends=2), tier(126, backends=2), "warning"),
    "TidegatePodNotScraped": Case(
        {'up{namespace="n", pod="a", job="n/tidegate-web"}': f"0{LONG}"},
        {
            'up{namespace="n", pod="a", job="n/tidegate-web"}': f"1{LONG}",
            'up{namespace="n", pod="b", job="n/another"}': f"0{LONG}",
        },
        "warning",
        'job="n/tidegate-web", namespace="n", pod="a"',
    ),
    "TidegateTierDown": Case(deployment(2, 0), deployment(0, 0), "critical", SERVING[1:-1]),
    "TidegateAutoscalerAtMaximum": Case(autoscaler(f"6{LONG}"), autoscaler("6x50 5x10"), "warning", OF_AUTOSCALER),
    "TidegateAutoscalerBlind": Case(
        autoscaler(f"2{LONG}", active=0), autoscaler(f"0{LONG}", active=0), "warning", OF_AUTOSCALER
    ),
}
