"""A run's model card: what it is, what it was trained on, how good it is, and what it is not for.

`README.md` of the run directory, in the form that the Hugging Face Hub reads: a header of metadata, then text. It is
written when training ends and again when the run is scored. What its owner writes below the last heading stays.

Reference: Mitchell et al., Model Cards for Model Reporting, FAT* 2019.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import halpose
from halpose.config import Config
from halpose.data.catalog import DATASETS
from halpose.data.store_files import read_meta
from halpose.engine.checkpoint import latest_step
from halpose.engine.run import Shape, read_run_config
from halpose.errors import CheckpointError, HalposeError
from halpose.settings import flatten
from halpose.whole_file import write_whole

FILE = "README.md"
_OWN = "## Notes"
_MARK = "<!-- Written by halpose; what stands below the heading Notes is yours and stays. -->"
_LIBRARY = "halpose"


def write_card(run: Path, overwrite: bool = False) -> Path | None:
    """Write a run's card; notes of an earlier one are kept.

    Args:
        run: its directory.
        overwrite: also replace a README that halpose did not write.

    Returns:
        Where it is; None where there is a README of somebody's own, which was left alone.

    Raises:
        CheckpointError: this is no run directory, or the card cannot be written.
    """
    file = run / FILE
    try:
        before = file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        before = ""
    except (OSError, ValueError):  # what cannot be read was not written here
        before = "\ufffd"
    if before and _MARK not in before and not overwrite:
        return None
    _, heading, own = before.partition(f"\n{_OWN}\n") if _MARK in before else ("", "", "")
    text = model_card(run) + (own if heading else "\nNone yet.\n")
    write_whole(file, text, CheckpointError)
    return file


def model_card(run: Path) -> str:
    """The text of a card, up to the notes of its owner.

    Raises:
        CheckpointError: this is no run directory.
    """
    from halpose.report.run_scores import all_scores  # late: it needs all evaluations

    about, config, shape = read_run_config(run)
    step = latest_step(run) or 0
    rows = all_scores(run, step)
    data = _data_set(about)
    return "\n".join(
        (
            _header(run, config, data, rows),
            _MARK,
            "",
            f"# {run.resolve().name}",
            "",
            _summary(config, shape, data, step),
            "",
            "## Use",
            "",
            _use(shape),
            "",
            "## Data",
            "",
            *_lines(data),
            "",
            "## Training",
            "",
            *_training(run, about, config, step),
            "",
            "## Scores",
            "",
            *_scores(rows),
            "",
            *_heads(run),
            "## What it is for",
            "",
            "Embeddings of recordings of this kind: to search, to group, or to train a small classifier on. They are "
            "as good as the scores above and no better; other cameras, skeletons and movements should be scored first.",
            "",
            "## What it is not for",
            "",
            "- Decisions about people: their health, ability, work or character. It has learned which movements look "
            "alike, nothing about those who move.",
            "- Identifying people. Gait and size show in an embedding, so treat embeddings of people as you treat the "
            "recordings.",
            f"- Recordings with other joints than {shape.layout.name} without a look at the joint map, "
            f"{'2-D' if shape.channels == 3 else '3-D'} recordings, or more than {shape.people} "
            f"{'person' if shape.people == 1 else 'people'}.",
            "- Durations: every clip is resized to the same number of frames, so its speed is lost.",
            "",
            "## Licence",
            "",
            data["terms"],
            "",
            _OWN,
            "",
        )
    )


def _header(run: Path, config: Config, data: Mapping[str, str], rows: list[dict[str, Any]]) -> str:
    """Metadata, each value in JSON, which is YAML as well."""
    best = [row for row in rows if row["part"] == "test" and row["features"] == "trained"]
    results = [
        {
            "task": {"type": "skeleton-action-recognition", "name": "Skeleton action recognition"},
            "dataset": {"name": row["data_set"], "type": row["data_set"], "split": row["split"]},
            "metrics": [
                {
                    "type": "accuracy",
                    "name": " ".join(filter(None, (row["protocol"], row["variant"], row["streams"], "top-1"))),
                    "value": round(100 * row["top1"], 2),
                }
            ],
        }
        for row in best
    ]
    header: dict[str, Any] = {
        "library_name": _LIBRARY,
        "license": "other",
        "license_name": "terms-of-the-data",
        "pipeline_tag": "feature-extraction",
        "tags": [
            "skeleton", "motion", "self-supervised-learning", "action-recognition", config.method, config.encoder.name
        ],
        "datasets": [data["name"]],
    }  # fmt: skip
    if results:
        header["model-index"] = [{"name": run.resolve().name, "results": results}]
    return "\n".join(("---", *(f"{key}: {json.dumps(value)}" for key, value in header.items()), "---"))


def _data_set(about: Mapping[str, Any]) -> dict[str, str]:
    """What is known of the data: from the catalogue, from the store while it is there."""
    store = dict(about.get("store") or {})
    name = str(store.get("name", "unknown"))
    meta: dict[str, Any] = {}
    with suppress(HalposeError, OSError, ValueError):
        meta = read_meta(Path(str(store.get("path", ""))))
    spec = DATASETS.get(name)
    licence = str((meta.get("provenance") or {}).get("licence", "")) or (spec.licence if spec else "")
    found = {"name": name, "clips": str(store.get("clips", "unknown"))}
    if meta.get("synthetic"):
        found["kind"] = "Synthetic: generated, no recordings of people."
    if spec:
        found |= {"title": spec.title, "source": spec.source, "cite": spec.citation}
    found["licence"] = licence or "not stated"
    found["terms"] = (
        f"Terms of the data set: {licence} Weights that were learned from it may fall under the same terms; whoever "
        "passes them on should see to that."
        if licence
        else "The terms of the recordings are not stated here. Whoever passes these weights on should state them below."
    )
    return found


def _lines(data: Mapping[str, str]) -> list[str]:
    names = {
        "title": "Data set", "name": "Name here", "kind": "Kind", "clips": "Clips of the store", "source": "Source",
        "cite": "Cite", "licence": "Terms",
    }  # fmt: skip
    return [f"- {title}: {data[key]}" for key, title in names.items() if key in data]


def _summary(config: Config, shape: Shape, data: Mapping[str, str], step: int) -> str:
    people = "one person" if shape.people == 1 else f"up to {shape.people} people"
    trained_on = data.get("title", data["name"])
    return (
        f"An encoder of human movement, trained without labels by `{config.method}` on {trained_on} ({step} steps). It "
        f"takes {shape.channels}-D recordings of {people} in the joint layout `{shape.layout.name}` "
        f"({len(shape.layout)} joints) and gives a vector for each clip or window."
    )


def _use(shape: Shape) -> str:
    example = "recording.bvh" if shape.channels == 3 else "poses.json"
    return "\n".join(
        (
            "```python",
            "from halpose import Embedder",
            "",
            'embedder = Embedder.from_run("hf://OWNER/NAME")  # or the path of this directory',
            f'vectors = embedder.transform(["{example}"])',
            "```",
            "",
            "On the command line, `embed`, `search`, `fit-head`, `predict` and `export` take the same name for RUN.",
        )
    )


def _training(run: Path, about: Mapping[str, Any], config: Config, step: int) -> list[str]:
    """What was done, and every setting that is not the default."""
    usual = dict(flatten(Config().to_dict()))
    changed = {key: value for key, value in flatten(config.to_dict()) if value != usual[key]}
    versions = ", ".join(f"{name} {version}" for name, version in dict(about.get("versions") or {}).items())
    lines = [
        f"- Method: `{config.method}`; streams: {', '.join(config.streams)}; encoder: {config.encoder.name}, width "
        f"{config.encoder.width}, {config.encoder.layers} layers",
        f"- Steps: {step} of {config.batch_size} clips, seed {config.seed}",
        f"- Made with {versions or 'an earlier version'}; this card by halpose {halpose.__version__}",
    ]
    with suppress(OSError, ValueError, KeyError, TypeError):
        outcome = json.loads((run / "run.json").read_text(encoding="utf-8"))
        lines.append(f"- Loss at the end: {float(outcome['loss']):.4g}; {float(outcome['seconds']):.0f} seconds")
    if changed:
        lines += ["", "Settings that are not the default:", "", "```text"]
        lines += [f"{key}={_written(value)}" for key, value in changed.items()]
        lines += ["```"]
    return lines


def _written(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _scores(rows: list[dict[str, Any]]) -> list[str]:
    """A table of all that was scored; the untrained encoder and plain coordinates beside the run."""
    if not rows:
        return ["Not scored yet: `halpose evaluate RUN --on STORE` does, and writes them here."]
    lines = [
        "| data set | split, part | features | protocol | clips | top-1 % | 95 % interval |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        protocol = " ".join(filter(None, (row["protocol"], row["variant"], row["streams"])))
        cells = (
            row["data_set"], f"{row['split']}, {row['part']}", row["features"], protocol, row["clips"],
            f"{100 * row['top1']:.1f}", f"{100 * row['low']:.1f} to {100 * row['high']:.1f}",
        )  # fmt: skip
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |")
    return [
        *lines,
        "",
        "`untrained` is the same encoder before its first step, `raw` are coordinates without an encoder. Settings "
        "were chosen without the test part.",
    ]


def _heads(run: Path) -> list[str]:
    """The classifiers that were fitted on it."""
    lines = []
    for file in sorted((run / "heads").glob("[!.]*/head.json")):
        with suppress(OSError, ValueError, KeyError, TypeError):
            head = json.loads(file.read_text(encoding="utf-8"))
            held = head["about"]["held_out"]["accuracy"]
            share = f"{100 * held['value']:.1f} % ({100 * held['low']:.1f} to {100 * held['high']:.1f})"
            learned = f"{len(head['classes'])} classes from {head['about']['clips']} clips"
            lines.append(f"- `{file.parent.name}`: {learned}, {share} of held-out clips right")
    return ["## Classifiers", "", *lines, ""] if lines else []
