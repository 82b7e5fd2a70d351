"""Export of a run: traced once, written in each form, checked against the run before a file appears."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.export import ExportedProgram

import halpose
from halpose.data.store import Store
from halpose.engine.run import Run
from halpose.errors import CheckpointError, DataError, ExportError
from halpose.evaluate.features import chosen_streams
from halpose.export.check import TOLERANCE, Infer, difference, random_cases, stored_cases
from halpose.export.network import Network
from halpose.export.onnx_graph import OPSET, infer_onnx, to_onnx
from halpose.export.program import capture, quiet
from halpose.whole_file import whole_file


@dataclass(frozen=True)
class Exported:
    """A file that was written.

    Attributes:
        path: where.
        form: `onnx` or `torch`.
        bytes: its size.
        clips: how many it was checked on.
        difference: from the run's embeddings, the largest, in units of their root mean square.
        about: metadata that it carries.
    """

    path: Path
    form: str
    bytes: int
    clips: int
    difference: float
    about: dict[str, str]


def export_run(
    run: Run,
    onnx: Path | None = None,
    program: Path | None = None,
    streams: Sequence[str] = (),
    check: Store | None = None,
) -> list[Exported]:
    """Write a run as a graph from positions to embeddings.

    Args:
        run: on the CPU.
        onnx: ONNX file to write.
        program: file to write that `torch.export.load` reads, usually `.pt2`.
        streams: names of the streams; all of the run's when empty.
        check: recordings to compare on, beside random ones.

    Raises:
        ConfigError: the run has no such stream, or a package is missing (extra `onnx`).
        DataError: the recordings are of another kind than the run's, or a file cannot be written.
        ExportError: an encoder cannot be exported, or gives something else afterwards; nothing is written.
    """
    names = chosen_streams(run, streams)
    network = Network.of(run, names)
    cases = list(chain(random_cases(run), stored_cases(check, run) if check else ()))
    traced = capture(network, run)
    about = describe(run, names, check)
    written = []
    for form, path in (("onnx", onnx), ("torch", program)):
        if path is None:
            continue
        data, infer = _as_onnx(traced, about) if form == "onnx" else _as_program(traced, about)
        apart = difference(run, infer, cases, names)
        if not apart < TOLERANCE:
            raise ExportError(
                f"{path}: not written: its embeddings differ from the run's by {apart:.1e} of their size, more than "
                f"{TOLERANCE:g}, on {len(cases)} clips"
            )
        with whole_file(path) as partial:
            partial.write_bytes(data)
        written.append(Exported(path, form, len(data), len(cases), apart, about))
    return written


def describe(run: Run, streams: Sequence[str], store: Store | None = None) -> dict[str, str]:
    """What somebody who gets the file alone has to know, as a file's metadata: text by name.

    Args:
        run: the run.
        streams: those that are exported.
        store: whose clips tell the usual frame rate and length, instead of those that were trained on.
    """
    table = run.method.stream_table()
    ends = np.cumsum([table[name].query.encoder.feature_dim for name in streams]).tolist()
    data = run.config.data
    fps, seconds = _usual(store or _trained_on(run))
    about: dict[str, Any] = {
        "version": halpose.__version__,
        "run": run.path.resolve().name,
        "step": run.step,
        "method": run.config.method,
        "streams": list(streams),
        "columns": {name: [start, end] for name, start, end in zip(streams, [0, *ends], ends, strict=False)},
        "encoder": run.config.encoder.name,
        "layout": run.shape.layout.to_dict(),
        "people": run.shape.people,
        "channels": run.shape.channels,
        "normalisation": {"centre": data.centre, "align": data.align, "scale": data.scale},
        "confidence": data.confidence,
        "frames": data.frames,
        "fps": fps,
        "seconds": seconds,
        "opset": OPSET,
    }
    return {f"halpose.{key}": value if isinstance(value, str) else json.dumps(value) for key, value in about.items()}


def _as_onnx(traced: ExportedProgram, about: dict[str, str]) -> tuple[bytes, Infer]:
    data = to_onnx(traced, about)
    return data, infer_onnx(data)


def _as_program(traced: ExportedProgram, about: dict[str, str]) -> tuple[bytes, Infer]:
    file = io.BytesIO()
    with quiet():
        torch.export.save(traced, file, extra_files={"halpose.json": json.dumps(about)})
        file.seek(0)
        module = torch.export.load(file).module()

    @torch.no_grad()
    def infer(*inputs: np.ndarray) -> np.ndarray:
        return np.asarray(module(*map(torch.from_numpy, inputs)))

    return file.getvalue(), infer


def _trained_on(run: Run) -> Store | None:
    """The store that the run was trained on, if it is still there."""
    with suppress(DataError, CheckpointError, KeyError, TypeError):
        return Store.open(str(run.about["store"]["path"]))
    return None


def _usual(store: Store | None) -> tuple[float, float]:
    """Median frame rate and length in seconds of the clips whose rate is known; 0 and 0 where none is."""
    if store is None:
        return 0.0, 0.0
    rate = np.asarray(store.clips.fps)
    known = rate > 0
    if not known.any():
        return 0.0, 0.0
    seconds = store.clips.lengths[known] / rate[known]
    return round(float(np.median(rate[known])), 3), round(float(np.median(seconds)), 3)
