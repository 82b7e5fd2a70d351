"""The doctor's page: what is wrong with recordings, with pictures, and the clips themselves with the joints marked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from halpose.doctor.body import Body
from halpose.doctor.finding import Finding
from halpose.doctor.gaps import missing
from halpose.doctor.mended_store import MendReport
from halpose.doctor.patients import Patients
from halpose.doctor.report import Examination, Group
from halpose.report.animation import AnimatedClip, gallery, packed_clips
from halpose.report.doctor_pictures import bars, histogram, missing_map, trace
from halpose.report.document import Section, document, write_document
from halpose.report.markup import Markup, element, join
from halpose.skeleton import Sequence

_EXAMPLES = 5
_CLIPS, _TRACES, _MAPS = 8, 4, 3
_AROUND = 30  # frames before and after a spike
_MARKS = 400
_MOST_FRAMES = 600
_NOTHING_TO_SEE = ("empty frames", "joints never seen", "nobody")


def write_doctor_page(
    path: str | Path, patients: Patients, examination: Examination, mended: MendReport | None = None
) -> Path:
    """Write the page.

    Args:
        path: the HTML file; replaced if it is there.
        patients: what was examined; the clips of the pictures are read again.
        examination: what was found.
        mended: what was mended, if anything.

    Raises:
        DataError: the file cannot be written.
    """
    return write_document(path, render_doctor_page(patients, examination, mended))


def render_doctor_page(patients: Patients, examination: Examination, mended: MendReport | None = None) -> str:
    """The page as text."""
    groups = examination.groups()
    firsts = _first_of_each(groups)
    gaps = [one for group in groups if group.check == "gaps" for one in group.first if one.at >= 0 and one.places]
    gaps = sorted(gaps, key=_lost, reverse=True)[:_MAPS]
    spikes = [one for group in groups if group.check == "spikes" for one in group.first if one.places][:_TRACES]
    clips = patients.read_clips([(clip.file, clip.name) for clip in examination.clips],
                                {one.at for one in (*firsts, *gaps, *spikes)})  # fmt: skip
    players = [(one, _animated(clips[one.at], one)) for one in firsts if one.at in clips]
    data: dict[str, Any] = packed_clips([clip for _, clip in players])
    for packed, (one, clip) in zip(data["clips"], players, strict=True):
        packed["marks"] = _marks(one, -(-clip.positions.shape[1] // clip.most_frames))
    pictures = [_missing(one, clips[one.at]) for one in gaps if one.at in clips]
    sections = [
        _findings(groups),
        _mended(mended),
        _gallery([clip for _, clip in players]),
        _section("missing", "What is missing", "Joints by frames.", pictures),
        _section("spikes", "Spikes", "A joint's coordinates around a jump.",
                 [_trace(one, clips[one.at]) for one in spikes if one.at in clips]),
        _section("set", "The set", "", _overview(examination)),
        _facts(examination),
    ]  # fmt: skip
    subtitle = f"{len(examination.clips)} clips, {sum(clip.frames for clip in examination.clips)} frames"
    title = f"Doctor: {Path(examination.path).name or examination.path}"
    kept = [section for section in sections if section is not None]
    return document(title, kept, data, subtitle=subtitle, lead=_verdict(examination))


def _verdict(examination: Examination) -> Markup:
    counts = examination.counts()
    meanings = {"error": "results would be wrong", "warning": "worth a look", "note": "good to know"}
    items = [
        element("li", {"class": severity}, element("strong", {}, str(count)),
                f"{severity}{'s' * (count != 1)}: {meanings[severity]}")
        for severity, count in counts.items()
    ]  # fmt: skip
    return element("ul", {"class": "verdict"}, *items)


def _findings(groups: list[Group]) -> Section:
    if not groups:
        return Section("findings", "Findings", "", element("p", {}, "Nothing is wrong."))
    head = element("tr", {}, *(element("th", {"scope": "col"}, name) for name in ("", "check", "found", "what")))
    rows = [_row(group) for group in groups]
    table = element("table", {"class": "findings"}, element("thead", {}, head), element("tbody", {}, *rows))
    return Section("findings", "Findings", "By severity; of each kind the first few.", table)


def _row(group: Group) -> Markup:
    first, alone = group.first[0], group.count == 1
    where = [one.where if alone else f"{one.where}: {one.what}" for one in group.first[:_EXAMPLES]]
    examples = [element("li", {}, line) for line in where if line]
    return element(
        "tr",
        {},
        element("td", {"class": group.severity}, group.severity),
        element("td", {}, group.check),
        element("td", {"class": "amount"}, str(first.count if alone else group.count)),
        element(
            "td",
            {},
            first.what if alone else f"{group.kind}, in {group.count} clips or files",
            element("ul", {}, *examples) if examples else None,
            element("p", {"class": "remedy"}, f"→ {first.remedy}"),
        ),
    )


def _mended(mended: MendReport | None) -> Section | None:
    if mended is None:
        return None
    lines = [element("li", {}, line) for line in mended.summary()]
    intro = "A new store; what was examined is as it was."
    return Section("mended", "Mended", intro, element("ul", {"class": "notes"}, *lines))


def _gallery(clips: list[AnimatedClip]) -> Section | None:
    if not clips:
        return None
    intro = (
        "The first clip of each kind. Rings mark the joints that something is wrong with, while it is. Drag to turn."
    )
    return Section("clips", "Clips", intro, gallery(clips))


def _section(key: str, title: str, intro: str, pictures: list[Markup]) -> Section | None:
    return Section(key, title, intro, join(pictures)) if pictures else None


def _overview(examination: Examination) -> list[Markup]:
    """Lengths of the clips, and clips of each class."""
    clips = examination.clips
    if len(clips) < 2:
        return []
    pictures = [histogram([clip.frames for clip in clips], "Frames of a clip")]
    labels = Counter(clip.label for clip in clips if clip.label >= 0)
    if labels:
        named = {examination.labelling.name(label): count for label, count in sorted(labels.items())}
        pictures.append(bars(named, "Clips of each class"))
    return pictures


def _facts(examination: Examination) -> Section:
    layouts = Counter(clip.layout for clip in examination.clips)
    rates = Counter(f"{clip.fps:g}" if clip.fps else "unknown" for clip in examination.clips)
    facts = {
        "examined": examination.path,
        "formats": _listed(examination.formats),
        "layouts": _listed(layouts),
        "frames a second": _listed(rates),
        "people named": str(len({clip.subject for clip in examination.clips if clip.subject})),
        "seconds taken": f"{examination.seconds:.1f}",
    }
    pairs = [element("div", {}, element("dt", {}, name), element("dd", {}, value)) for name, value in facts.items()]
    return Section("facts", "What was examined", "", element("dl", {"class": "facts"}, *pairs))


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in Counter(counts).most_common(6)) or "none"


def _first_of_each(groups: list[Group]) -> list[Finding]:
    """The first finding of each kind that is about one clip, one for each clip."""
    found: dict[int, Finding] = {}
    for group in groups:
        if group.kind in _NOTHING_TO_SEE:
            continue
        one = next((one for one in group.first if one.at >= 0 and one.at not in found), None)
        if one is not None:
            found[one.at] = one
    return list(found.values())[:_CLIPS]


def _animated(clip: Sequence, finding: Finding) -> AnimatedClip:
    title = f"{finding.check}: {finding.kind}"
    return AnimatedClip(clip.positions, clip.layout, title, finding.where, clip.fps, clip.name, _MOST_FRAMES)


def _marks(finding: Finding, stride: int) -> list[list[int]]:
    """Person, joint, first frame and the one after the last, in the frames that are drawn."""
    marks = [
        [finding.person or 0, joint, place.start // stride, -(-place.end // stride)]
        for place in finding.places
        for joint in place.joints
    ]
    return marks[:_MARKS]


def _lost(finding: Finding) -> int:
    return sum(len(place.joints) * (place.end - place.start) for place in finding.places)


def _missing(finding: Finding, clip: Sequence) -> Markup:
    body = Body(clip.positions[finding.person or 0], clip.skeleton, clip.fps, finding.person or 0)
    return missing_map(missing(body), body.layout.joints, f"{clip.name}, person {body.person + 1}")


def _trace(finding: Finding, clip: Sequence) -> Markup:
    """The joint that goes farthest in the finding's first place."""
    place = finding.places[0]
    row = clip.positions[finding.person or 0].astype(np.float64)
    first, end = max(place.start - _AROUND, 0), min(place.end + _AROUND, clip.frames)
    middle = np.nanmedian(row[first:end], axis=0)
    away = [float(np.nanmax(np.linalg.norm(row[place.start : place.end, joint] - middle[joint], axis=-1), initial=0.0))
            for joint in place.joints]  # fmt: skip
    joint = place.joints[int(np.argmax(away))]
    wrong = [(one.start, one.end) for one in finding.places if joint in one.joints]
    caption = f"{clip.name}: {clip.skeleton.joints[joint]}, frames {first} to {end - 1}"
    return trace(row[:, joint], wrong, (first, end), caption)
