"""A run checks itself: what holds of every queueing system, whatever its rules.

    flow balance   who came = who ended + who is inside now - who was inside before
    Little's law   the integral of the number inside = the sum of all times inside, those of the
                   contacts that are inside at either end counted as far as they lie in the stretch
                   (J. D. C. Little, Operations Research 9 (1961) 383; the finite form is exact)

The integral is summed while the run goes on, the times are those of the rows: an account that was
kept wrong in either shows. It must not know pools or scenarios.
"""

import numpy as np

from usher.simulation.rows import Batch


class BrokenRun(Exception):
    """A run contradicts itself: a fault of the simulator, never of the scenario."""


def check_batch(batch: Batch) -> None:
    """Raises BrokenRun if a law does not hold of this stretch."""
    rows = batch.contacts
    for index, totals in enumerate(batch.totals):
        chosen = rows.type == index
        ended = int(np.count_nonzero(chosen & (rows.ended_ms >= 0)))
        balance = totals.inside_from + totals.arrived - totals.ended - totals.inside_until
        if balance or ended != totals.ended:
            raise BrokenRun(f"flow of type {index}: {balance} too many, {ended} rows, {totals}")
        times_ms = np.where(rows.ended_ms >= 0, rows.ended_ms, batch.until_ms)
        times_ms = (times_ms - np.maximum(rows.arrived_ms, batch.from_ms))[chosen]
        inside_ms = int(times_ms.sum()) + totals.left_inside_ms
        if inside_ms != totals.inside_ms:
            raise BrokenRun(f"type {index}: {totals.inside_ms} ms inside, by rows {inside_ms}")
