"""Columns as data frames of polars, an optional extra, which is imported when one is made.

It must not know what the columns hold.
"""

from typing import TYPE_CHECKING

from usher.simulation.report.exports import Columns

if TYPE_CHECKING:
    from polars import DataFrame


class FramesMissing(Exception):
    """There are no data frames: polars, an optional extra, cannot be imported."""

    def __init__(self, cause: ImportError) -> None:
        super().__init__(
            f'data frames and Parquet need polars ({cause}): pip install "usher-router[frames]"'
        )


def frame(columns: Columns) -> "DataFrame":
    """Returns a data frame with these columns; raises FramesMissing without polars."""
    try:
        from polars import DataFrame
    except ImportError as error:
        raise FramesMissing(error) from error
    return DataFrame(dict(columns.values), schema=dict(columns.types))
