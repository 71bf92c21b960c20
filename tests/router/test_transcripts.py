"""Transcripts of the pool: what a reader expects, in full. `USHER_REWRITE=1` writes them anew.

A change of behaviour shows as a difference in a transcript; whoever rewrites one explains it.
"""

import os
from pathlib import Path

import pytest
from tests.router.transcript import rewritten

TRANSCRIPTS = sorted((Path(__file__).parent / "transcripts").glob("*.txt"))


def test_there_are_transcripts() -> None:
    assert TRANSCRIPTS


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcript(path: Path) -> None:
    text = rewritten(path)
    if os.environ.get("USHER_REWRITE") == "1":
        path.write_text(text)
    assert path.read_text() == text
