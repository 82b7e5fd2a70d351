"""A run's network as one graph of torch operations whose batch and length stay open: what both formats are made of."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.export import Dim, ExportedProgram

from halpose.engine.run import Run
from halpose.errors import ExportError
from halpose.export.check import batch, random_cases
from halpose.export.network import Network

INPUTS, OUTPUT = ("positions", "confidence"), "embeddings"
AXES = ("batch", "people", "frames", "joints", "channels")


def capture(network: Network, run: Run) -> ExportedProgram:
    """Trace a network on a few clips.

    Args:
        network: of the run, on the CPU.
        run: whose input it takes.

    Raises:
        ExportError: an encoder does what torch cannot trace, or what depends on the number of clips.
    """
    example = tuple(map(torch.from_numpy, batch(random_cases(run))))
    open_axes = {0: Dim(AXES[0]), 2: Dim(AXES[2])}
    shapes = tuple(open_axes for _ in example)
    try:
        with quiet(), torch.no_grad():
            program = torch.export.export(network, example, dynamic_shapes=shapes)
    except Exception as error:  # torch raises whatever the traced code runs into
        raise ExportError(
            f"streams {', '.join(network.names)} cannot be exported: {_first_line(error)}; an encoder must be made of "
            "tensor operations alone, and must not ask how many clips there are (x.shape[0] may be used, len(x) not)"
        ) from error
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in module.graph.nodes:
                node.meta.pop("stack_trace", None)  # where files lie on this machine is nobody's business
    return program


@contextmanager
def quiet() -> Iterator[None]:
    """Without torch's remarks on its own inside: what it deprecates, and which packages it would know more with."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    fused = torch.backends.mha.get_fastpath_enabled()
    logger.setLevel(logging.ERROR)
    torch.backends.mha.set_fastpath_enabled(False)  # one operation for a whole layer, known to torch only
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
        torch.backends.mha.set_fastpath_enabled(fused)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no reason given'}"
