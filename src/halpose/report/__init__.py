"""One self-contained HTML page per run: scores, curves, confusion, map, moving skeletons."""

from halpose.report.animation import AnimatedClip
from halpose.report.embedding import Embedding, embed_2d, embedding_method
from halpose.report.page import Page, render_page, write_page

__all__ = ["AnimatedClip", "Embedding", "Page", "embed_2d", "embedding_method", "render_page", "write_page"]
