"""What is to be generated, and what each clip's number stands for."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

from halpose.data.synthetic.actions import actions
from halpose.data.synthetic.sensor import AZIMUTHS, SETUPS
from halpose.errors import ConfigError


@dataclass(frozen=True)
class Take:
    """One clip to be recorded; all numbers count from 1, as in the names of NTU RGB+D.

    Attributes:
        setup: where the cameras stand.
        camera: which of them looks.
        subject: who performs.
        replication: odd ones face camera 2, even ones camera 3.
        action: what is done.
    """

    setup: int
    camera: int
    subject: int
    replication: int
    action: int

    @property
    def name(self) -> str:
        """The file name that NTU RGB+D would give it, without suffix."""
        return f"S{self.setup:03d}C{self.camera:03d}P{self.subject:03d}R{self.replication:03d}A{self.action:03d}"


@dataclass(frozen=True)
class SyntheticSpec:
    """What to generate.

    Any number of clips is balanced over actions, cameras and subjects. A full round, in which each subject does each
    action in front of each camera, has subjects x actions x cameras clips; rounds alternate between the two
    replications and move the subjects through the set-ups.

    Attributes:
        clips: how many.
        subjects: how many people, numbered from 1.
        actions: 12 distinct ones, or 60 that are easily confused.
        cameras: how many of the three cameras record.
        setups: how many of the 17 set-ups are used.
        noise: of the sensor; 0 is perfect, 1 is a Kinect v2.
        glitches: of the tracker; 0 is perfect, 1 about as in NTU RGB+D.
        variation: how much people, takes and placement differ; 0 makes all performances of an action alike.
        distraction: how much goes on beside the action: fidgeting, steps, sitting, pauses; 0 is a rehearsed stage.
        seed: another seed is another world.
        name: of the data set; must say that it is synthetic.
    """

    clips: int = 3600
    subjects: int = 40
    actions: int = 12
    cameras: int = 3
    setups: int = 17
    noise: float = 1.0
    glitches: float = 1.0
    variation: float = 1.0
    distraction: float = 1.0
    seed: int = 0
    name: str = "synthetic"

    def __post_init__(self) -> None:
        actions(self.actions)
        for field, least, most in (
            ("clips", 1, 100_000_000),
            ("subjects", 1, 999),
            ("cameras", 1, len(AZIMUTHS)),
            ("setups", 1, len(SETUPS)),
            ("noise", 0, 10),
            ("glitches", 0, 10),
            ("variation", 0, 3),
            ("distraction", 0, 2),
            ("seed", 0, 2**63 - 1),
        ):
            value = getattr(self, field)
            if not least <= value <= most:
                raise ConfigError(f"{field}={value}: must be between {least} and {most}")
        if "synthetic" not in self.name:
            raise ConfigError(f"name={self.name!r}: the name of generated data must contain the word synthetic")
        last = self.take(self.clips - 1)
        if last.replication > 999:
            raise ConfigError(
                f"clips={self.clips}: {self.subjects} subjects, {self.actions} actions, {self.cameras} cameras and "
                f"{self.setups} set-ups have no more than {self._round * self.setups * 999} names; raise one of them"
            )

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the actions, in the order of the labels."""
        return tuple(action.name for action in actions(self.actions))

    @property
    def _round(self) -> int:
        return self.actions * self.cameras * self.subjects

    def take(self, index: int) -> Take:
        """What the clip with this number (from 0) shows."""
        action, rest = index % self.actions, index // self.actions
        # Neighbouring actions get different cameras and subjects, and so do neighbouring clips of one action: few clips
        # already hold everything. Stride and shift are such that a round holds every combination once.
        stride = self.actions
        while gcd(stride, self.subjects) != 1:
            stride += 1
        subject = (action + rest * stride) % self.subjects
        shift = 0 if gcd(self.subjects, self.cameras) == 1 else 1
        camera = (action + rest + shift * (rest // self.subjects)) % self.cameras
        round_number = rest // (self.cameras * self.subjects)
        cycle, again = round_number // 2 % self.setups, round_number // (2 * self.setups)
        return Take(
            setup=(7 * subject + cycle) % self.setups + 1,
            camera=camera + 1,
            subject=subject + 1,
            replication=round_number % 2 + 1 + 2 * again,
            action=action + 1,
        )
