"""Raw files to a store: in parallel, resumable, with every unusable file named and set aside.

The files are divided into chunks. Processes read and clean chunks and keep each in `OUT.partial`; at the end the
chunks are put together, in order, into the store, which appears whole, and the folder is removed. A run that was
killed is continued by the same command: chunks that are there are not made again. The store is the same, bit for
bit, whatever the number of processes and wherever the work was interrupted. A shard is a store of a part of the files;
`merge` joins the shards of all machines to that same store.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

import halpose
from halpose.data.assembly import assemble
from halpose.data.catalog import find_spec
from halpose.data.chunk_files import SetAside
from halpose.data.chunks import CHUNK_BYTES, CHUNK_FILES, Settings, divide, share
from halpose.data.parallel import Progress, chunk_path, claim, make_chunks
from halpose.data.prepare_report import PrepareReport, Published, count, deviations, in_parts, nothing_usable
from halpose.data.source import Source, find_source
from halpose.data.spec import DatasetSpec
from halpose.data.splits import SplitRule, resolve_videos
from halpose.data.store_files import FORMAT_VERSION
from halpose.data.store_writer import StoreWriter
from halpose.errors import ConfigError, DataError
from halpose.processes import cores
from halpose.skeleton import Layout, load_layout

__all__ = ["PrepareReport", "Progress", "SetAside", "largest_of", "make_store", "prepare", "read_missing_list"]


def prepare(
    data_set: str | DatasetSpec,
    source: str | Path,
    out: str | Path,
    *,
    workers: int | None = None,
    dtype: str = "float32",
    overwrite: bool = False,
    missing_list: str | Path | None = None,
    shard: tuple[int, int] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> PrepareReport:
    """Read, clean and store a data set.

    Args:
        data_set: a name in the catalogue, or a `DatasetSpec` of one's own.
        source: the folder with its files, at any depth.
        out: the store to make.
        workers: processes; None is one per core, 1 works in this process.
        dtype: float32 or float16.
        overwrite: replace a store that is there.
        missing_list: a text file naming clips without a usable skeleton (NTU publishes one); they are set aside.
        shard: (number, of how many): only this part of the files, so that several machines prepare one data set;
            `merge` makes of the parts the store that one machine would have made.
        progress: called after every chunk.

    Raises:
        DataError: the folder is wrong, nothing in it can be used, or the store cannot be written.
        ConfigError: there is no such data set, dtype or shard.
    """
    spec = find_spec(data_set) if isinstance(data_set, str) else data_set
    largest = largest_of(dtype)
    whole = find_source(spec, Path(source))
    spec = whole.spec
    listed = read_missing_list(Path(missing_list)) if missing_list is not None else frozenset()
    settings = Settings(
        root=str(whole.root.absolute()),
        format=whole.format,
        layout=spec.layout,
        people=spec.people,
        channels=spec.channels,
        classes=len(spec.classes),
        largest=largest,
        least_confidence=spec.least_confidence,
        pruned=dict.fromkeys(sorted(spec.prune), spec.prune_why),
        listed=listed,
    )
    return make_store(
        whole, settings, load_layout(spec.layout), out,
        workers=workers, dtype=dtype, overwrite=overwrite, shard=shard, progress=progress,
    )  # fmt: skip


def make_store(
    whole: Source,
    settings: Settings,
    layout: Layout,
    out: str | Path,
    *,
    workers: int | None = None,
    dtype: str = "float32",
    overwrite: bool = False,
    shard: tuple[int, int] | None = None,
    progress: Callable[[Progress], None] | None = None,
    remarks: Iterable[str] = (),
    aside: Iterable[SetAside] = (),
) -> PrepareReport:
    """The work itself: files that were found to a store.

    Args:
        whole: what to read.
        settings: how.
        layout: of the store.
        out: see `prepare`.
        workers: see there.
        dtype: see there.
        overwrite: see there.
        shard: see there.
        progress: see there.
        remarks: what the report says before everything else.
        aside: files that were set aside already.
    """
    started = time.perf_counter()
    out = Path(os.path.abspath(out))
    found, spec = _share(whole, shard), whole.spec
    rules, notes = _resolve(spec, found.root)
    notes = [*remarks, *notes]
    provenance = _provenance(spec, found)
    if settings.own:
        provenance["upright"] = {name: upright.to_dict() for name, upright in settings.own.upright.items()}
    if shard:
        provenance["shard"] = {"number": shard[0], "of": shard[1], "whole": _fingerprint(settings, whole, times=False)}
    chunks = divide(found.files)
    workers = min(workers or cores(), len(chunks))
    writer = StoreWriter(
        out,
        layout=layout,
        people=spec.people,
        channels=spec.channels,
        name=spec.name,
        synthetic=found.synthetic,
        classes=spec.classes,
        dtype=dtype,
        overwrite=overwrite,
        provenance=provenance,
    )
    with writer:
        partial = out.with_name(out.name + ".partial")
        kept = claim(partial, _fingerprint(settings, found), len(chunks))
        make_chunks(settings, chunks, partial, workers, progress)
        assembly = assemble(writer, rules, [chunk_path(partial, at) for at in range(len(chunks))], aside)
        if not len(writer):
            shutil.rmtree(partial, ignore_errors=True)
            raise DataError(nothing_usable(found, assembly.set_aside))
        published = Published.of(spec)
        counts = count(published, len(writer), assembly.codes)
        if settings.own:
            notes += [in_parts(name, codes) for name, codes in assembly.codes.items()]
        resolved = list(notes)
        if shard:
            notes.append(f"shard {shard[0]} of {shard[1]}: {len(found.files)} of {len(whole.files)} files")
        else:
            notes += deviations(published, found.synthetic, counts, len(settings.listed), assembly.set_aside)
        writer.report = {
            "data_set": spec.name,
            "format": found.format,
            "files": len(found.files),
            "clips": len(writer),
            "counts": counts,
            "notes": notes,
            "repairs": dict(sorted(assembly.repairs.items())),
            "repaired": assembly.repaired,
            "set_aside": [asdict(item) for item in assembly.set_aside],
        }
        if shard:  # what `merge` needs to write the report of the whole
            writer.report["shard"] = {
                "published": asdict(published),
                "listed": len(settings.listed),
                "notes": resolved,
                "clips": [list(pair) for pair in assembly.clips.items()],
            }
    shutil.rmtree(partial, ignore_errors=True)
    return PrepareReport(
        data_set=spec.name,
        out=out,
        files=len(found.files),
        clips=len(writer),
        frames=assembly.frames,
        set_aside=tuple(assembly.set_aside),
        repairs=dict(sorted(assembly.repairs.items())),
        counts=counts,
        notes=tuple(notes),
        chunks=len(chunks),
        kept_chunks=kept,
        workers=workers,
        seconds=time.perf_counter() - started,
    )


def read_missing_list(path: Path) -> frozenset[str]:
    """Clip names from a text file, one a line, with or without a suffix.

    Raises:
        DataError: the file cannot be read or names nothing.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: the list of missing skeletons cannot be read ({error})") from None
    names = frozenset(line.removesuffix(".skeleton") for line in lines)
    if not names:
        raise DataError(f"{path}: names no clip; one name a line is expected, such as S001C002P005R002A008")
    return names


def largest_of(dtype: str) -> float:
    """The largest coordinate that a store holds."""
    if dtype not in ("float32", "float16"):
        raise ConfigError(f"a store holds float32 or float16, not {dtype}")
    return float(np.finfo(dtype).max)


def _resolve(spec: DatasetSpec, root: Path) -> tuple[dict[str, SplitRule], list[str]]:
    """The split rules, with the lists that some take from the source; a split without its list is left out."""
    rules, notes = {}, []
    for name, rule in spec.splits.items():
        try:
            rules[name] = resolve_videos(rule, root) if rule.videos else rule
        except DataError as error:
            notes.append(f"split {name} left out: {error}")
    return rules, notes


def _provenance(spec: DatasetSpec, found: Source) -> dict[str, Any]:
    return {
        "data_set": spec.title,
        "format": found.format,
        "files": len(found.files),
        "bytes": sum(file.size for file in found.files),
        "halpose": halpose.__version__,
        "licence": spec.licence,
        "source": spec.source,
        "citation": spec.citation,
        "default_split": spec.default_split,
        "validation": {name: rule.why for name, rule in spec.splits.items()},
        "normalisation": dict(spec.normalisation),
        **({"least_confidence": spec.least_confidence} if spec.least_confidence else {}),
    }


def _share(whole: Source, shard: tuple[int, int] | None) -> Source:
    """The files of a shard."""
    if shard is None:
        return whole
    number, of = shard
    if not 1 <= number <= of:
        raise ConfigError(f"there is no shard {number} of {of}; shards are numbered from 1")
    if of > len(whole.files):
        raise DataError(f"{whole.root}: {len(whole.files)} files cannot be divided into {of} shards; take fewer")
    return replace(whole, files=tuple(share(whole.files, number, of)))


def _fingerprint(settings: Settings, found: Source, times: bool = True) -> str:
    """Changes whenever a chunk would; without times it is the same for copies of the files on other machines."""
    facts = {
        **asdict(settings),
        "root": "",
        "listed": sorted(settings.listed),
        "version": (halpose.__version__, FORMAT_VERSION, CHUNK_BYTES, CHUNK_FILES, "with confidence"),
        "files": [(file.path, file.size, file.modified if times else 0) for file in found.files],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
