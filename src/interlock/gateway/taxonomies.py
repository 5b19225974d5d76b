"""The judge of a gateway: its profile, fed with the categories each source really allows.

A source whose profile declares no categories is asked for its choice lists: at start, where that is quick,
and again and again later, so that the checks that need them come alive when a source comes back and follow
when its lists change. One that cannot tell (no rights, no such list) has none, and the checks raise nothing
there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from interlock.config import Config
from interlock.quality.judge import Judge
from interlock.quality.profile import Profile
from interlock.records.problems import Problem
from interlock.records.taxonomy import Choice
from interlock.sources.source import Source
from interlock.tools.catalogue import BY_NAME

START_S = 3.0
"""How long starting waits for choice lists, of all sources together."""
AGAIN_S = 30.0
"""How often they are looked at again; a source itself is asked every ten minutes (see ``sources.choices``)."""

Lists = tuple[tuple[str, ...], tuple[tuple[str, str], ...]]


class Taxonomies:
    """Keeps a judge's profile up to the choice lists of the sources."""

    def __init__(self, config: Config, sources: Mapping[str, Source]) -> None:
        """Raises Problem when the profile is wrong, or names a tool or a source that does not exist."""
        self._profile = Profile.load(config.quality.profile) if config.quality.profile else Profile.default()
        self._profile.verify_tools(BY_NAME)
        self._profile.verify_sources(sources)
        self._asked = {
            name: source
            for name, source in sources.items()
            if "incident" in source.kinds and not _declared(self._profile, name)
        }
        self._lists: dict[str, Lists] = {}
        self.judge = Judge(self._profile)

    async def start(self) -> None:
        """Ask all sources at once, for at most START_S; a slower one is asked again later."""
        await self._look(START_S)

    async def run(self, changed: Callable[[str], None]) -> None:
        """Look again for ever; ``changed`` hears the judge's new version."""
        while self._asked:
            await asyncio.sleep(AGAIN_S)
            if await self._look(AGAIN_S):
                changed(self.judge.version)

    async def _look(self, most_s: float) -> bool:
        """Whether the judge changed."""
        if not self._asked:
            return False
        tasks = [asyncio.create_task(self._ask(name, source)) for name, source in self._asked.items()]
        try:
            await asyncio.wait(tasks, timeout=most_s)
        finally:
            for task in tasks:
                task.cancel()  # those that are done take no notice
        told = await asyncio.gather(*tasks, return_exceptions=True)
        found = dict(each for each in told if isinstance(each, tuple))
        if all(self._lists.get(name) == lists for name, lists in found.items()):
            return False
        self._lists |= found
        profile = self._profile
        for name, (categories, pairs) in self._lists.items():
            profile = profile.with_taxonomy(name, categories, pairs)
        self.judge.use(profile)
        return True

    async def _ask(self, name: str, source: Source) -> tuple[str, Lists] | None:
        try:
            categories = await source.choices("incident", "category")
            subcategories = await source.choices("incident", "subcategory")
        except Problem:
            return None  # it keeps the lists that it had
        return name, (_words(categories), _pairs(subcategories))


def _words(choices: list[Choice]) -> tuple[str, ...]:
    return tuple(sorted({choice.value for choice in choices if choice.value and choice.active}))


def _pairs(choices: list[Choice]) -> tuple[tuple[str, str], ...]:
    found = {(each.depends_on, each.value) for each in choices if each.depends_on and each.value and each.active}
    return tuple(sorted(found))


def _declared(profile: Profile, source: str) -> bool:
    override = profile.incident.sources.get(source)
    return override is not None and override.categories is not None
