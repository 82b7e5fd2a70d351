"""Which actions there are, and in which order they are numbered."""

from __future__ import annotations

from functools import lru_cache

from halpose.data.synthetic.encounters import encounters
from halpose.data.synthetic.gestures import Action
from halpose.data.synthetic.solo import solo_actions
from halpose.errors import ConfigError

TWELVE = (
    "drink",
    "brush hair",
    "wave overhead",
    "clap slowly",
    "throw overarm",
    "circle both arms",
    "kick low",
    "squat",
    "sit down",
    "jump up",
    "push the other",
    "shake hands",
)


@lru_cache(maxsize=2)
def actions(count: int) -> tuple[Action, ...]:
    """The vocabulary: 60 actions that are easily confused, or 12 of them that are not.

    As in NTU RGB+D 60, actions 50 to 60 of the sixty are done by two people; so are the last two of the twelve.

    Raises:
        ConfigError: there are 12 or 60, nothing else.
    """
    sixty = solo_actions() + encounters()
    if count == len(sixty):
        return sixty
    if count == len(TWELVE):
        named = {action.name: action for action in sixty}
        return tuple(named[name] for name in TWELVE)
    raise ConfigError(f"actions={count}: there are {len(TWELVE)} distinct actions, or {len(sixty)} confusable ones")
