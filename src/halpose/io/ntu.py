"""NTU RGB+D `.skeleton` text: every body of every frame, with its identity.

The file: a line with the number of frames; per frame a line with the number of bodies; per body a line of 10
(identity, ..., tracking state), a line with the number of joints (25), and a line of 12 per joint (x y z, depth x
y, colour x y, orientation w x y z, tracking state). Coordinates are metres in the camera's frame, y up.

Reading keeps what the file says: all bodies, in order of appearance, NaN where one is absent; swapped identities,
ghosts and gaps are for cleaning, not for a reader. A joint at exactly 0 0 0 (the camera itself) is missing. The
tracking states 2, 1, 0 (tracked, inferred, not tracked) become confidence 1, 0.5, 0.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int

from halpose.io.base import Format, first_lines, read_bytes, refused, to_float32, zeros_to_missing
from halpose.io.text import Lines, NotNumbers, scan, to_floats
from halpose.skeleton import Sequence

LAYOUT = "kinect25"
FRAMES_PER_SECOND = 30.0
_JOINTS = 25
_BODY_WORDS, _JOINT_WORDS = 10, 12
_BODY_LINES = 2 + _JOINTS
_MOST_PEOPLE = 64  # with more identities than that it is no recording, and (people, frames) need not fit memory
_FIRST_IDENTITY = 1 << 56  # bodies without an identity of their own are counted from here, as NTU does
_CONFIDENCE = np.full(256, np.nan, dtype=np.float32)  # by the character of a tracking state
_CONFIDENCE[list(b"012")] = 0, 0.5, 1
_NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})")


def name_fields(name: str) -> dict[str, int]:
    """What an NTU-style name says: setup, camera, subject, replication, action; empty for other names.

    >>> name_fields("S001C002P003R002A013")["action"]
    13
    """
    match = _NAME.match(name)
    if match is None:
        return {}
    return dict(zip(("setup", "camera", "subject", "replication", "action"), map(int, match.groups()), strict=True))


def read(path: Path) -> Iterator[Sequence]:
    """The one clip of a file.

    Raises:
        FormatError: the file is damaged; the message names the frame where it breaks.
    """
    lines = scan(read_bytes(path))
    try:
        identities, positions, confidence = _everybody(lines)
    except _Fault as fault:
        raise refused(path, str(fault), "extract it again from the archive, or leave it out") from None
    fields = name_fields(path.stem)
    yield Sequence(
        positions=positions,
        layout=LAYOUT,
        name=path.stem,
        label=fields["action"] - 1 if fields else -1,
        subject=str(fields["subject"]) if fields else "",
        camera=fields.get("camera", 0),
        setup=fields.get("setup", 0),
        people=identities,
        fps=FRAMES_PER_SECOND,
        confidence=confidence,
        extra={key: fields[key] for key in ("replication", "action") if key in fields},
    )


class _Fault(Exception):
    """What is wrong with a file, and where."""


def _everybody(
    lines: Lines,
) -> tuple[tuple[str, ...], Float32[np.ndarray, "m t v 3"], Float32[np.ndarray, "m t v"]]:
    """Identities, positions and confidence of everybody in a file."""
    frames, body_lines, frame_of = _structure(lines)
    identities, person_of = _identities(lines, body_lines, frame_of)
    joints = (body_lines[:, None] + np.arange(2, _BODY_LINES)).ravel()
    try:
        values = to_floats(lines, joints, 3)
        states = _confidence(lines, joints)
    except NotNumbers as error:
        frame = frame_of[error.at // _JOINTS]
        raise _Fault(f"{error} in frame {frame + 1} of {frames}") from None
    positions = np.full((len(identities), frames, _JOINTS, 3), np.nan, dtype=np.float32)
    positions[person_of, frame_of] = to_float32(values).reshape(-1, _JOINTS, 3)
    zeros_to_missing(positions)
    confidence = np.zeros(positions.shape[:3], dtype=np.float32)
    confidence[person_of, frame_of] = states.reshape(-1, _JOINTS)
    return identities, positions, confidence


_Structure = tuple[int, Int[np.ndarray, " bodies"], Int[np.ndarray, " bodies"]]


def _structure(lines: Lines) -> _Structure:
    """How many frames there are, the first line of every body, and its frame."""
    return _usual_structure(lines) or _walk(lines)


def _usual_structure(lines: Lines) -> _Structure | None:
    """The structure of a sound file with at most nine bodies a frame; None if anything is otherwise."""
    rest = np.flatnonzero(lines.words != _JOINT_WORDS)  # lines that are no joints
    bodies = np.flatnonzero(lines.words[rest] == _BODY_WORDS)
    if not len(bodies) or bodies[-1] + 1 == len(rest):
        return None
    joint_counts = bodies + 1
    is_head = np.ones(len(rest), dtype=bool)
    is_head[bodies] = is_head[joint_counts] = False
    heads = np.flatnonzero(is_head)
    frames, here = len(heads) - 1, (np.append(heads[1:], len(rest)) - heads) // 2
    following = np.ones(len(rest), dtype=np.int64)
    following[joint_counts] += _JOINTS
    starts = lines.starts[rest]
    lengths = lines.ends[rest] - starts
    digits = lines.buffer[starts]
    usual = (
        frames > 0
        and lines[0] == [b"%d" % frames]
        and not here[0]
        and (lengths[heads[1:]] == 1).all()
        and digits[heads[1:]].tobytes() == (here[1:] + ord("0")).astype(np.uint8).tobytes()
        and (lengths[joint_counts] == 2).all()
        and digits[joint_counts].tobytes() == b"2" * len(bodies)
        and lines.buffer[starts[joint_counts] + 1].tobytes() == b"5" * len(bodies)
        and rest[-1] + following[-1] == len(lines)
        and (rest[1:] - rest[:-1]).tobytes() == following[:-1].tobytes()
    )
    if not usual:
        return None
    return frames, rest[bodies], np.repeat(np.arange(frames), here[1:])


def _walk(lines: Lines) -> _Structure:
    """The structure of any file, line by line, up to the first that does not fit.

    Only the lines that are no joints are looked at one by one; joints are what lies between, and all accounted for.
    """
    rest = np.flatnonzero(lines.words != _JOINT_WORDS)
    rows = [lines[line] for line in rest.tolist()] + [[]]
    at = [*rest.tolist(), len(lines)]
    frames = _number(lines, at, rows, 0, 0, "the number of frames")
    if not frames:
        raise _Fault("it holds 0 frames by its first line")
    body_lines, frame_of = [], []
    line = row = 1
    for frame in range(frames):
        try:
            bodies = _number(lines, at, rows, line, row, "the number of bodies")
            line, row = line + 1, row + 1
            for _ in range(bodies):
                if at[row] != line or len(rows[row]) != _BODY_WORDS:
                    raise _unexpected(lines, line, "the {} numbers of a body", _BODY_WORDS)
                if at[row + 1] != line + 1 or rows[row + 1] != [b"25"]:
                    joints = _number(lines, at, rows, line + 1, row + 1, "the number of joints")
                    raise _Fault(f"{joints} joints instead of {_JOINTS}")
                body_lines.append(line)
                frame_of.append(frame)
                line, row = line + _BODY_LINES, row + 2
                if at[row] < line:
                    raise _unexpected(lines, at[row], "the {} numbers of a joint", _JOINT_WORDS)
        except _Fault as fault:
            raise _Fault(f"{fault} in frame {frame + 1} of {frames}") from None
    if line != len(lines):
        raise _Fault(f"line {lines.numbers[line]} follows the last of {frames} frames")
    if not body_lines:
        raise _Fault(f"no body in any of {frames} frames: the skeleton is missing")
    return frames, np.array(body_lines), np.array(frame_of)


def _number(lines: Lines, at: list[int], rows: list[list[bytes]], line: int, row: int, what: str) -> int:
    """The one whole number of a line, which is the next that is no joint."""
    words = rows[row]
    if at[row] != line or len(words) != 1 or not words[0].isdigit() or len(words[0]) > 9:
        raise _unexpected(lines, line, what, 1)
    return int(words[0])


def _unexpected(lines: Lines, line: int, expected: str, words: int) -> _Fault:
    """The fault of a line that is not what the lines before it promise: so many words."""
    if line >= len(lines) or (line == len(lines) - 1 and lines.words[line] < words):
        return _Fault("the file ends")
    found = lines.words[line]
    return _Fault(f"line {lines.numbers[line]} has {found} words and is not {expected.format(words)}")


def _identities(
    lines: Lines, body_lines: Int[np.ndarray, " bodies"], frame_of: Int[np.ndarray, " bodies"]
) -> tuple[tuple[str, ...], Int[np.ndarray, " bodies"]]:
    """Who is in the file, in order of appearance, and who each body is.

    Where one frame gives an identity to two bodies, the second is kept apart by #2, so that neither is lost.
    """
    every = np.ndarray((len(lines.buffer) - 20,), dtype="S21", buffer=lines.buffer, strides=(1,))  # a view
    beginnings: list[bytes] = every[lines.starts[body_lines]].tolist()
    name_of = {beginning: beginning.split(None, 1)[0] for beginning in set(beginnings)}
    names = [name_of[beginning] for beginning in beginnings]
    if (frame_of[1:] == frame_of[:-1]).any():
        seen: Counter[tuple[bytes, int]] = Counter()
        for body, key in enumerate(zip(names, frame_of.tolist(), strict=True)):
            seen[key] += 1
            if seen[key] > 1:
                names[body] += b"#%d" % seen[key]
    slots = {name: slot for slot, name in enumerate(dict.fromkeys(names))}
    if len(slots) > _MOST_PEOPLE:
        raise _Fault(f"{len(slots)} different bodies, at most {_MOST_PEOPLE} can be read")
    for name in slots:
        if not name.partition(b"#")[0].isdigit():
            shown = name.decode("ascii", "backslashreplace")
            raise _Fault(f"{shown!r} is not the identity of a body")
    return tuple(name.decode() for name in slots), np.array([slots[name] for name in names])


def _confidence(lines: Lines, joints: Int[np.ndarray, " joints"]) -> Float32[np.ndarray, " joints"]:
    """The tracking states at the ends of lines, as confidence."""
    ends = lines.ends[joints]
    confidence: Float32[np.ndarray, " joints"] = _CONFIDENCE[lines.buffer[ends - 1]]
    if np.isnan(confidence).any() or (lines.buffer[ends - 2] != ord(" ")).any():
        states = to_floats(lines, joints, _JOINT_WORDS)[:, -1]
        return to_float32(np.clip(np.nan_to_num(states), 0, 2) / 2)
    return confidence


def sniff(path: Path) -> bool:
    """Whether the first lines are counts and a body."""
    lines = first_lines(path)[:3]
    if len(lines) < 2 or not all(len(line) == 1 and line[0].isdigit() for line in lines[:2]):
        return False
    return len(lines) == 2 or len(lines[2]) in (1, _BODY_WORDS)


def write(path: Path, sequences: list[Sequence]) -> None:
    """Write one clip as NTU text; `read` gives its positions back exactly.

    A body is written in the frames in which any of its joints is known; a joint that is missing there is written
    as 0 0 0, not tracked. Confidence is rounded to a tracking state. Depth, colour and orientation are zero.

    Args:
        path: the file; an NTU-style name carries setup, camera, subject, replication and action.
        sequences: a list of one clip, (M, T, 25, 3).

    Raises:
        FormatError: the clip does not fit the format.
    """
    if len(sequences) != 1:
        raise refused(path, f"{len(sequences)} clips for one file", "write one clip a file")
    clip = sequences[0]
    if clip.layout != LAYOUT or clip.positions.shape[2:] != (_JOINTS, 3):
        shape = "x".join(map(str, clip.positions.shape))
        raise refused(
            path, f"{clip.name} has layout {clip.layout} and shape {shape}", f"NTU text holds {LAYOUT} in 3-D"
        )
    missing = np.isnan(clip.positions).any(axis=-1)
    present = ~missing.all(axis=-1)
    if not present.any():
        raise refused(path, f"nobody is in any frame of {clip.name}", "leave it out")
    confidence = np.ones(missing.shape) if clip.confidence is None else np.nan_to_num(clip.confidence)
    states = np.clip(np.rint(2 * confidence), 0, 2)
    rows = np.concatenate((clip.positions.astype(np.float32), states[..., None]), axis=-1)
    rows[missing] = 0
    joints = f"%.9g %.9g %.9g{' 0' * 8} %d\n" * _JOINTS
    bodies = [f"{identity} 0 0 0 0 0 0 0 0 2\n{_JOINTS}\n{joints}" for identity in _identities_to_write(clip)]
    parts = [f"{clip.frames}\n"]
    for frame in range(clip.frames):
        here = np.flatnonzero(present[:, frame]).tolist()
        parts.append(f"{len(here)}\n")
        parts.extend(bodies[person] % tuple(rows[person, frame].ravel().tolist()) for person in here)
    path.write_bytes("".join(parts).encode("ascii"))


def _identities_to_write(clip: Sequence) -> list[str]:
    """The clip's own identities where the format can hold them, else numbers like NTU's."""
    people = clip.people
    if len(set(people)) == len(clip.positions) and all(re.fullmatch(r"\d{1,20}", name) for name in people):
        return list(people)
    return [str(_FIRST_IDENTITY + person) for person in range(len(clip.positions))]


FORMAT = Format(
    name="ntu",
    description="NTU RGB+D .skeleton text (Kinect v2, 25 joints)",
    suffixes=(".skeleton", ".txt"),
    sniff=sniff,
    read=read,
    write=write,
)
