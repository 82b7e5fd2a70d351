"""Streams of random numbers that must not disturb each other: two methods see the same views under one seed."""

from __future__ import annotations

VIEWS, METHOD, ORDER, DROPOUT = 1, 2, 3, 4


def seed_of(*parts: int) -> int:
    """One seed from several numbers, far from those of their neighbours (splitmix64)."""
    state = 0
    for part in parts:
        state = (state + part + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 31
    return state >> 1
