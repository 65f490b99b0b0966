"""What the embedded model server counts."""

from prometheus_client.parser import text_string_to_metric_families

from tidegate_serving.metrics import RequestMetrics


def test_requests_are_counted_by_status_and_what_was_answered_is_timed_by_api_and_entrypoint():
    metrics = RequestMetrics(frozenset({"gate"}).__contains__)
    metrics.observe("gate", ("Predict", "GRPC"), "OK", 0.25)
    metrics.observe("gate", ("classify", "REST"), "OK", 0.5)
    metrics.observe("gate", ("classify", "REST"), "OK", 0.5)
    metrics.observe("gate", ("classify", "REST"), "INVALID_ARGUMENT", 0.5)
    metrics.observe("made up", ("Regress", "GRPC"), "NOT_FOUND", 1)
    metrics.ran("gate", "Classify", 0.125)
    lines = metrics.page().splitlines()
    for line in (
        "# TYPE :tensorflow:serving:request_count counter",
        ':tensorflow:serving:request_count{model_name="gate",status="OK"} 3',
        ':tensorflow:serving:request_count{model_name="gate",status="INVALID_ARGUMENT"} 1',
        ':tensorflow:serving:request_count{model_name="unknown",status="NOT_FOUND"} 1',
        ':tensorflow:serving:request_latency_sum{model_name="gate",API="classify",entrypoint="REST"} 1000000.0',
        ':tensorflow:serving:request_latency_count{model_name="gate",API="classify",entrypoint="REST"} 2',
        ':tensorflow:serving:request_latency_count{model_name="gate",API="Predict",entrypoint="GRPC"} 1',
        ':tensorflow:serving:runtime_latency_sum{model_name="gate",API="Classify",runtime="TF1"} 125000.0',
    ):
        assert line in lines
    assert not any("Regress" in line for line in lines)


def test_a_latency_is_in_each_bucket_from_its_own_up():
    metrics = RequestMetrics({"gate"}.__contains__)
    metrics.observe("gate", ("Predict", "GRPC"), "OK", 15e-6)
    (latency,) = [found for found in text_string_to_metric_families(metrics.page()) if "request_l" in found.name]
    counts = {sample.labels["le"]: sample.value for sample in latency.samples if "le" in sample.labels}
    assert (counts["10"], counts["18"], counts["+Inf"]) == (0, 1, 1)
    assert len(counts) == 34


def test_any_name_of_a_model_leaves_the_page_readable():
    name = 'a "quoted"\\\nname'
    metrics = RequestMetrics({name}.__contains__)
    metrics.observe(name, ("Predict", "GRPC"), "OK", 1)
    samples = [sample for found in text_string_to_metric_families(metrics.page()) for sample in found.samples]
    assert {sample.labels["model_name"] for sample in samples} == {name}
