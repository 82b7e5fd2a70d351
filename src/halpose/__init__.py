"""halpose learns what human movements are from skeleton recordings that nobody labelled."""

from __future__ import annotations

__version__ = "0.1.0"
