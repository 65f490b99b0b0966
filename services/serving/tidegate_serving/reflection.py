"""Descriptors for server reflection: our messages under the names that TF Serving's have.

They live in a pool of their own, since TensorFlow has the same names in the default one.
"""

from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from google.protobuf import any_pb2, wrappers_pb2
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

from tidegate_proto import (
    example_pb2,
    inference_pb2,
    model_management_pb2,
    model_status_pb2,
    prediction_pb2,
    server_config_pb2,
    signature_pb2,
    tensor_pb2,
)
from tidegate_proto.services import Method

OURS = ".tidegate.wire."
TENSORFLOW, SERVING = "tensorflow", "tensorflow.serving"
TENSORFLOW_FILE, SERVING_FILE = "tidegate/tensorflow.proto", "tidegate/tensorflow_serving.proto"

OF_TENSORFLOW = (tensor_pb2, example_pb2, signature_pb2)
OF_SERVING = (prediction_pb2, inference_pb2, model_status_pb2, server_config_pb2, model_management_pb2)
BUT_SERVINGS = frozenset({"SignatureDefMap"})
"""Message of a file of TensorFlow's that is TF Serving's all the same."""


def descriptors(methods: Iterable[Method[Any, Any]]) -> DescriptorPool:
    """Describe methods and all messages.

    Args:
        methods: What is served.

    Returns:
        A pool with TF Serving's names.
    """
    packages = _packages()
    files = [
        FileDescriptorProto(name=TENSORFLOW_FILE, package=TENSORFLOW, syntax="proto3"),
        FileDescriptorProto(
            name=SERVING_FILE,
            package=SERVING,
            syntax="proto3",
            dependency=[TENSORFLOW_FILE, any_pb2.DESCRIPTOR.name, wrappers_pb2.DESCRIPTOR.name],
        ),
    ]
    by_package = {file.package: file for file in files}
    for module in (*OF_TENSORFLOW, *OF_SERVING):
        described = _described(module)
        for message in described.message_type:
            _rename(message, packages)
            by_package[packages[message.name]].message_type.append(message)
        for kind in described.enum_type:
            by_package[packages[kind.name]].enum_type.append(kind)
    _add_services(by_package[SERVING], methods)
    pool = DescriptorPool()
    for file in (_described(any_pb2), _described(wrappers_pb2), *files):
        pool.Add(file)
    return pool


def _described(module: ModuleType) -> FileDescriptorProto:
    file = FileDescriptorProto()
    module.DESCRIPTOR.CopyToProto(file)
    return file


def _packages() -> dict[str, str]:
    """Return the package of each message and enum at the top of our files."""
    found = {}
    for modules, package in ((OF_TENSORFLOW, TENSORFLOW), (OF_SERVING, SERVING)):
        for module in modules:
            file = module.DESCRIPTOR
            for name in (*file.message_types_by_name, *file.enum_types_by_name):
                found[name] = SERVING if name in BUT_SERVINGS else package
    return found


def _rename(message: DescriptorProto, packages: Mapping[str, str]) -> None:
    """Let fields refer to the new names."""
    for field in message.field:
        if field.type_name.startswith(OURS):
            name = field.type_name.removeprefix(OURS)
            field.type_name = f".{packages[name.partition('.')[0]]}.{name}"
    for nested in message.nested_type:
        _rename(nested, packages)


def _add_services(file: FileDescriptorProto, methods: Iterable[Method[Any, Any]]) -> None:
    services = {}
    for method in methods:
        if method.service not in services:
            services[method.service] = file.service.add(name=method.service.rpartition(".")[2])
        services[method.service].method.add(
            name=method.name,
            input_type=f".{SERVING}.{method.request.DESCRIPTOR.name}",
            output_type=f".{SERVING}.{method.response.DESCRIPTOR.name}",
        )
