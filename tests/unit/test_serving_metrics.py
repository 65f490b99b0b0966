"""What the embedded model server counts."""

from tidegate_serving.metrics import RequestMetrics


def test_requests_are_counted_by_status_and_their_times_by_api_and_entrypoint():
    metrics = RequestMetrics(frozenset({"gate"}).__contains__)
    metrics.observe("gate", ("Predict", "GRPC"), "OK", 0.25)
    metrics.observe("gate", ("Classify", "REST"), "OK", 0.5)
    metrics.observe("gate", ("Classify", "REST"), "INVALID_ARGUMENT", 0.5)
    metrics.observe("made up", ("Regress", "GRPC"), "NOT_FOUND", 1)
    registry = metrics.registry()

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f":tensorflow:serving:request_{name}", labels)

    assert value("count", model_name="gate", status="OK") == 2
    assert value("count", model_name="gate", status="INVALID_ARGUMENT") == 1
    assert value("count", model_name="unknown", status="NOT_FOUND") == 1
    assert value("latency_sum", model_name="gate", API="Classify", entrypoint="REST") == 1e6
    assert value("latency_count", model_name="gate", API="Classify", entrypoint="REST") == 2
    assert value("latency_count", model_name="gate", API="Predict", entrypoint="GRPC") == 1


def test_a_latency_is_in_each_bucket_from_its_own_up():
    metrics = RequestMetrics({"gate"}.__contains__)
    metrics.observe("gate", ("Predict", "GRPC"), "OK", 15e-6)
    (_, latency) = metrics.collect()
    counts = {sample.labels["le"]: sample.value for sample in latency.samples if "le" in sample.labels}
    assert (counts["10"], counts["18"], counts["+Inf"]) == (0, 1, 1)
    assert len(counts) == 34
