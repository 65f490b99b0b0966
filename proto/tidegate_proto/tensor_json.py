"""A tensor as TF Serving's metadata document has it: protobuf's own JSON, with every field."""

from typing import Any

from google.protobuf.json_format import MessageToDict

from tidegate_proto.tensor_pb2 import TensorProto


def tensor_json(tensor: TensorProto) -> dict[str, Any]:
    """Return what JSON's writer takes; 64-bit numbers are texts and bytes base64, as protobuf has it."""
    fields: dict[str, Any] = MessageToDict(
        tensor, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return fields
