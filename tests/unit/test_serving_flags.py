"""The model server's command line, and the files that it names."""

import re
from pathlib import Path

import pytest

from tidegate_serving.flags import FLAGS, usage
from tidegate_serving.settings import read

ONE = "--model_base_path=/models/gate"


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        read(arguments)
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_one_model_is_served_under_the_name_given():
    settings = read([ONE, "--model_name=gate"])
    assert [(model.name, model.base_path) for model in settings.models] == [("gate", "/models/gate")]
    assert (settings.port, settings.rest_api_port, settings.rest_timeout_s) == (8500, 0, 30.0)
    assert (settings.warm_up, settings.tags, settings.batching, settings.ssl) == (1, ("serve",), None, None)


@pytest.mark.parametrize(("given", "before_a_port"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
def test_an_address_is_written_as_it_stands_before_a_port(given, before_a_port):
    assert read([ONE, f"--listen_address={given}"]).listen_address == before_a_port


def test_a_file_of_models_counts_more_than_the_flags_of_one(tmp_path):
    file = tmp_path / "models.config"
    file.write_text('model_config_list { config { name: "a" base_path: "/a" model_platform: "tensorflow" } }')
    assert [model.name for model in read([ONE, f"--model_config_file={file}"]).models] == ["a"]


@pytest.mark.parametrize(("given", "expected"), [("", True), ("=true", True), ("=1", True), ("=FALSE", False)])
def test_a_switch_is_on_by_its_name_alone(given, expected):
    assert read([ONE, f"--enable_serialization_as_tensor_content{given}"]).as_content is expected


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("--modle_name=x", "--modle_name: there is no such flag; did you mean --model_name?"),
        ("--zzz=1", "--zzz: there is no such flag; --help lists them"),
        ("port=1", "port=1: expected --name=value"),
        ("--port", "--port: expected --port=value"),
        ("--port=x", "--port: expected a whole number, came 'x'"),
        ("--listen_address=here", "--listen_address: expected an IP address such as 127.0.0.1, came 'here'"),
        ("--port=70000", "--port: expected a port from 0 to 65535, came 70000"),
        ("--enable_batching=maybe", "--enable_batching: expected true or false, came 'maybe'"),
        ("--batching_parameters_file=x", "--batching_parameters_file is set without setting --enable_batching"),
        ("--ssl_config_file=/nowhere", "No such file or directory: '/nowhere'"),
        ("--grpc_channel_arguments=x", "--grpc_channel_arguments: expected name=value, came 'x'"),
    ],
)
def test_what_cannot_be_used_is_said_with_code_2(capsys, argument, said):
    assert said in refused(capsys, ONE, argument)


def test_no_model_at_all_is_said(capsys):
    assert "give one of --model_config_file and --model_base_path" in refused(capsys)


def test_logging_that_a_file_of_models_asks_for_is_read(tmp_path):
    file = tmp_path / "models.config"
    logging = 'log_collector_config { type: "x" filename_prefix: "y" } sampling_config { sampling_rate: 0.1 }'
    file.write_text(f'model_config_list {{ config {{ name: "gate" logging_config {{ {logging} }} }} }}')
    (config,) = read([f"--model_config_file={file}"]).models
    assert config.logging_config.sampling_config.sampling_rate == 0.1


def test_a_file_of_something_else_is_said(capsys, tmp_path):
    file = tmp_path / "models.config"
    file.write_text("models { }")
    assert f"{file}: expected a text proto of ModelServerConfig" in refused(capsys, f"--model_config_file={file}")


def test_flags_that_do_nothing_are_known_and_named():
    idle = [flag for flag in FLAGS if not flag.honoured]
    settings = read([ONE, *(f"--{flag.name}={flag.default}" for flag in idle)])
    assert settings.ignored == tuple(flag.name for flag in idle)
    assert read([ONE]).ignored == ()


def test_arguments_of_grpc_are_numbers_where_they_look_so():
    given = "--grpc_channel_arguments=grpc.max_connection_age_ms=2000,grpc.primary_user_agent=x"
    assert read([ONE, given]).channel_arguments == (
        ("grpc.max_connection_age_ms", 2000),
        ("grpc.primary_user_agent", "x"),
    )


def test_help_lists_every_flag_on_the_way_out(capsys):
    with pytest.raises(SystemExit) as ended:
        read(["--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"{usage()}\n"
    assert all(f"--{flag.name}=" in usage() for flag in FLAGS)


def test_the_version_is_told_on_the_way_out(capsys):
    with pytest.raises(SystemExit) as ended:
        read(["--version"])
    assert ended.value.code == 0
    assert re.fullmatch(r"tidegate-model-server \d+\.\d+\.\d+\nTensorFlow \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_the_reference_has_every_flag_and_no_others():
    page = (Path(__file__).parents[2] / "docs" / "reference" / "model-server.md").read_text()
    rows = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| `--")}
    assert rows.keys() == {f"--{flag.name}" for flag in FLAGS if flag.honoured}
    assert all(flag.about in rows[f"--{flag.name}"] for flag in FLAGS if flag.honoured)
    (idle,) = (line for line in page.splitlines() if line.startswith("Accepted, and named in the log"))
    assert re.findall(r"`--(\w+)`", idle) == [flag.name for flag in FLAGS if not flag.honoured]
