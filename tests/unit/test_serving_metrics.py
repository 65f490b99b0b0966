"""What the embedded model server counts."""

from tidegate_serving.metrics import RequestMetrics


def test_requests_are_counted_by_status_and_their_times_by_api():
    metrics = RequestMetrics(frozenset({"gate"}))
    metrics.observe("gate", "Predict", "success", 0.25)
    metrics.observe("gate", "Classify", "success", 0.5)
    metrics.observe("gate", "Classify", "error", 0.5)
    metrics.observe("made up", "Regress", "error", 1)
    registry = metrics.registry()

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f":tensorflow:serving:request_{name}", labels)

    assert value("count", model_name="gate", status="success") == 2
    assert value("count", model_name="gate", status="error") == 1
    assert value("count", model_name="unknown", status="error") == 1
    assert value("latency_sum", model_name="gate", API="Classify") == 1e6
    assert value("latency_count", model_name="gate", API="Classify") == 2
    assert value("latency_count", model_name="gate", API="Predict") == 1
