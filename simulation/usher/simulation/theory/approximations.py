"""Square-root staffing: limits for many servers. Approximations, to be named as such.

Halfin & Whitt 1981 (nobody leaves), Garnett, Mandelbaum & Reiman 2002 (impatient callers).
"""

from math import sqrt

from scipy.stats import norm


def halfin_whitt_p_wait(beta: float) -> float:
    """Returns P(wait > 0) of M/M/n for many servers; beta = (1 - load/n) sqrt(n) > 0."""
    if beta <= 0:
        raise ValueError("beta is to be positive")
    return float(1 / (1 + beta * norm.cdf(beta) / norm.pdf(beta)))


def garnett(beta: float, load: float, patience_ratio: float) -> tuple[float, float]:
    """Returns P(wait > 0) and P(abandon) of M/M/n+M for many servers.

    beta = (n - load)/sqrt(load); `patience_ratio` = patience_rate/service_rate > 0.
    """
    if patience_ratio <= 0 or load <= 0:
        raise ValueError("load and patience_ratio are to be positive")
    root = sqrt(patience_ratio)
    delta = beta / root
    p_wait = 1 / (1 + root * _hazard(delta) / _hazard(-beta))
    p_abandon = p_wait * sqrt(patience_ratio / load) * (_hazard(delta) - delta)
    return p_wait, p_abandon


def _hazard(x: float) -> float:
    return float(norm.pdf(x) / norm.sf(x))
