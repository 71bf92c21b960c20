"""Who may serve what, as far as the roster and the policy alone tell: skills, groups, languages.

Compiled once per roster and policy. Levels are kept only for skills that some queue asks for. Knows
nothing of contacts, of presence or of load.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from usher.queue.rules import AgentProfile, Policy, QueueRules
from usher.queue.values import TERM_MAX
from usher.router.scoring import Flags, skill_fit

NOT_FIT = -1


class Skills:
    """Levels, groups and languages of the agents, in the order of `profiles`."""

    def __init__(self, policy: Policy, profiles: Sequence[AgentProfile]) -> None:
        self._count = len(profiles)
        asked = {each.skill for queue in policy.queues for each in queue.requirements}
        groups = {group for queue in policy.queues for group in queue.groups}
        self._levels = {skill: np.zeros(self._count, np.int8) for skill in asked}
        self._groups = {group: np.zeros(self._count, np.bool_) for group in groups}
        self._languages: dict[str, Flags] = {}
        self._any_language = np.zeros(self._count, np.bool_)
        for index, profile in enumerate(profiles):
            self._enter(index, profile)

    def fit(self, queue: QueueRules, languages: Iterable[str]) -> NDArray[np.int16]:
        """Returns the skill fit 0..1000 per agent, NOT_FIT where the agent may not serve it."""
        fit = np.full(self._count, TERM_MAX, np.int16)
        may = self._speaks(languages) & self._in_groups(queue)
        if queue.requirements:
            levels = [self._levels[asked.skill] for asked in queue.requirements]
            fit[:] = skill_fit(levels, queue.requirements)
            for level, asked in zip(levels, queue.requirements, strict=True):
                may &= level >= asked.least
        fit[~may] = NOT_FIT
        return fit

    def _enter(self, index: int, profile: AgentProfile) -> None:
        for skill, level in profile.skills.items():
            if skill in self._levels:
                self._levels[skill][index] = level
        for group in profile.groups:
            if group in self._groups:
                self._groups[group][index] = True
        for language in profile.languages:
            self._language(language)[index] = True
        self._any_language[index] = not profile.languages

    def _language(self, language: str) -> Flags:
        """Returns the column of a language; tags differ not by case (RFC 5646, 2.1.1)."""
        tag = language.lower()
        if tag not in self._languages:
            self._languages[tag] = np.zeros(self._count, np.bool_)
        return self._languages[tag]

    def _speaks(self, languages: Iterable[str]) -> Flags:
        """Returns who speaks one of them; an agent without languages is not asked for any."""
        tags = [tag.lower() for tag in languages]
        if not tags:
            return np.ones(self._count, np.bool_)
        may = self._any_language.copy()
        for tag in tags:
            if tag in self._languages:
                may |= self._languages[tag]
        return may

    def _in_groups(self, queue: QueueRules) -> Flags:
        if not queue.groups:
            return np.ones(self._count, np.bool_)
        may = np.zeros(self._count, np.bool_)
        for group in queue.groups:
            may |= self._groups[group]
        return may
