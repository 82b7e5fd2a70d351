"""A run as an ONNX model: one file with weights and metadata, run by anything that runs ONNX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch.export import ExportedProgram

import halpose
from halpose.errors import ConfigError, ExportError
from halpose.export.check import Infer
from halpose.export.program import AXES, INPUTS, OUTPUT, quiet

OPSET = 18
"""Version of the operator set; onnxruntime reads it from 1.14 on."""

_LARGEST = 2**31 - 1  # bytes of a protocol buffer


def to_onnx(program: ExportedProgram, about: Mapping[str, str]) -> bytes:
    """An ONNX model of a traced network.

    Args:
        program: of `halpose.export.program.capture`.
        about: its metadata.

    Raises:
        ConfigError: the packages that it takes are not installed.
        ExportError: an operation has no counterpart in ONNX, or the model is larger than a file may be.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ConfigError(f"ONNX needs {error.name}: pip install 'halpose[onnx]'") from None
    names = list(INPUTS[: len(program.graph_signature.user_inputs)])
    try:
        with quiet():
            made = torch.onnx.export(
                program, (), dynamo=True, input_names=names, output_names=[OUTPUT], opset_version=OPSET,
                external_data=False, verbose=False,
            )  # fmt: skip
    except Exception as error:  # whatever the translation of an operation runs into
        raise ExportError(f"no ONNX model can be made of this network: {error}; export it with --torch") from error
    assert made is not None
    model = made.model_proto
    _tidy(model.graph)
    model.producer_name, model.producer_version = "halpose", halpose.__version__
    model.graph.name = "halpose"
    onnx.helper.set_model_props(model, dict(about))
    if model.ByteSize() > _LARGEST:
        raise ExportError(
            f"the model has {model.ByteSize() / 1e9:.1f} GB, and an ONNX file may have 2: export fewer --streams"
        )
    data: bytes = model.SerializeToString()
    return data


def infer_onnx(data: bytes) -> Infer:
    """What an ONNX model computes, by onnxruntime on one thread of the CPU.

    Raises:
        ConfigError: onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError:
        raise ConfigError("a model is checked with onnxruntime: pip install 'halpose[onnx]'") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])

    def infer(*inputs: Float[np.ndarray, "b m t *rest"]) -> Float[np.ndarray, "b d"]:
        return np.asarray(session.run([OUTPUT], dict(zip(INPUTS, inputs, strict=False)))[0])

    return infer


def _tidy(graph: Any) -> None:
    """Names for the open axes, and nothing of how the graph was made, which is of use to nobody."""
    del graph.value_info[:]  # shapes of what lies between, which every reader works out by itself
    for part in (*graph.input, *graph.output, *graph.node, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
    for value in (*graph.input, *graph.output):
        dims = value.type.tensor_type.shape.dim
        dims[0].dim_param = AXES[0]
        if value.name in INPUTS:
            dims[2].dim_param = AXES[2]
