"""Each LOADTEST_ setting says how much load there is, or is refused in one line that tells what was expected."""

import re
from pathlib import Path

import pytest

from scenarios import SCENARIOS
from settings import NAMES, SettingsError, read

README = Path(__file__).resolve().parents[2] / "loadtest/README.md"


def given(**settings: str):
    return read({f"LOADTEST_{name}": value for name, value in settings.items()})


def test_without_any_locust_decides_how_much():
    settings = given()
    assert settings.load is None
    assert (settings.host, settings.model, settings.rows) == ("http://127.0.0.1:8080", "and_gate", 0)


def test_names_of_others_and_empty_values_say_nothing():
    assert read({"LOCUST_USERS": "5", "PATH": "/bin", "LOADTEST_SHAPE": ""}) == given()


def test_a_closed_shape_is_users_from_a_tenth_of_them_to_all():
    load = given(SHAPE="step", USERS="40", PERIOD_S="10").load
    assert load is not None
    assert (load.process, load.users, load.duration_s) == (None, 40, 30)
    assert load.rates[:10] == (4, 4, 40, 40, 40, 40, 40, 4, 4, 4)
    assert load.rates[10:20] == load.rates[:10]


def test_an_open_loop_is_requests_a_second_and_its_users_are_the_pool():
    load = given(SHAPE="step", ARRIVALS="poisson", PEAK_RPS="500", BASE_RPS="20", DURATION_S="10").load
    assert load is not None
    assert (load.process, load.users) == ("poisson", 200)
    assert load.rates == (20, 20, 500, 500, 500, 500, 500, 20, 20, 20)


def test_arrivals_alone_are_constant_at_the_peak():
    load = given(ARRIVALS="paced", PEAK_RPS="30", DURATION_S="4").load
    assert load is not None
    assert load.rates == (30, 30, 30, 30)


def test_a_trace_lasts_as_long_as_it_is_and_may_be_one_of_ours(tmp_path):
    mine = tmp_path / "mine.csv"
    mine.write_text("offset_s,requests\n0,1\n1,4\n")
    load = given(SHAPE="trace", ARRIVALS="paced", TRACE=str(mine), PEAK_RPS="8").load
    assert load is not None
    assert load.rates == (2, 8)
    ours = given(SHAPE="trace", ARRIVALS="paced", TRACE="azure_llm_2023.csv.gz", TIME_SCALE="100").load
    assert ours is not None
    assert ours.duration_s == 35


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_a_scenario_says_model_rows_shape_and_arrivals_in_multiples_of_the_knee(scenario):
    settings = given(SCENARIO=scenario.name, KNEE_RPS="50")
    assert settings.load is not None
    assert (settings.model, settings.rows, settings.iterations) == (
        scenario.model, scenario.rows, scenario.work_iterations
    )  # fmt: skip
    assert (settings.load.shape, settings.load.process) == (scenario.shape, scenario.process)
    assert settings.load.duration_s == scenario.duration_s
    assert max(settings.load.rates) == pytest.approx(50 * scenario.peak_of_knee, rel=0.02)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"SHAPE": "wave"}, "LOADTEST_SHAPE=wave: expected one of constant, step, spike, ramp, diurnal, "),
        ({"ARRIVALS": "burst"}, "LOADTEST_ARRIVALS=burst: expected one of paced, poisson"),
        ({"SCENARIO": "storm"}, "LOADTEST_SCENARIO=storm: expected one of step, web-step, "),
        ({"SCENARIO": "step"}, "LOADTEST_SCENARIO=step: expected LOADTEST_KNEE_RPS too, "),
        ({"SCENARIO": "step", "SHAPE": "step"}, "LOADTEST_SCENARIO and LOADTEST_SHAPE: expected one of them, "),
        ({"SHAPE": "step", "USERS": "many"}, "LOADTEST_USERS=many: expected a whole number from 1"),
        ({"SHAPE": "step", "USERS": "0"}, "LOADTEST_USERS=0: expected a whole number from 1"),
        ({"SHAPE": "step", "PERIOD_S": "1.5"}, "LOADTEST_PERIOD_S=1.5: expected a whole number from 1"),
        ({"ARRIVALS": "paced", "PEAK_RPS": "nan"}, "LOADTEST_PEAK_RPS=nan: expected a number above 0"),
        (
            {"ARRIVALS": "paced", "SHAPE": "step", "BASE_RPS": "200"},
            "LOADTEST_BASE_RPS=200: expected no more than LOADTEST_PEAK_RPS, 100",
        ),
        ({"SEED": "x"}, "LOADTEST_SEED=x: expected a whole number from 0"),
        ({"SLO_MS": "0"}, "LOADTEST_SLO_MS=0: expected a number above 0"),
        ({"SHAPE": "trace"}, "LOADTEST_SHAPE=trace: expected LOADTEST_TRACE too, a CSV, or one of aws_elb_2014"),
        ({"SHAPE": "trace", "TRACE": "x.csv"}, "LOADTEST_TRACE=x.csv: expected a file, or one of aws_elb_2014"),
        (
            {"SHAPE": "trace", "TRACE": "aws_elb_2014.csv.gz", "DURATION_S": "2000000"},
            "LOADTEST_SHAPE: ",
        ),
        ({"HOST": "gateway:8080"}, "LOADTEST_HOST=gateway:8080: expected http://… or https://…"),
        (
            {"HOST": "http://gateway:99999"},
            "LOADTEST_HOST=http://gateway:99999: expected http://… or https://…, with a port",
        ),
        ({"GRPC_HOST": "http://there:8500"}, "LOADTEST_GRPC_HOST=http://there:8500: expected host:port"),
        ({"CARDS": "nowhere"}, "LOADTEST_CARDS=nowhere: expected a folder that is there"),
        ({"PEAK_RPS": "5", "SHAPE": "step"}, "LOADTEST_PEAK_RPS=5: expected LOADTEST_ARRIVALS too, came none"),
        ({"USERS": "5"}, "LOADTEST_USERS=5: expected LOADTEST_SHAPE or LOADTEST_ARRIVALS or LOADTEST_SCENARIO too"),
        ({"KNEE_RPS": "5"}, "LOADTEST_KNEE_RPS=5: expected LOADTEST_SCENARIO too"),
        ({"SHAP": "step"}, "LOADTEST_SHAP: there is no such setting; did you mean LOADTEST_SHAPE?"),
    ],
)
def test_what_cannot_be_is_refused_with_what_was_expected(settings, problem):
    with pytest.raises(SettingsError, match=f"^{re.escape(problem)}") as refusal:
        given(**settings)
    assert "\n" not in str(refusal.value)


def test_the_readme_lists_every_setting_and_no_other():
    assert set(re.findall(r"^\| `LOADTEST_(\w+)`", README.read_text(), re.MULTILINE)) == set(NAMES)
