"""The judge of a gateway: its profile, fed with the categories each source really allows."""

from __future__ import annotations

from collections.abc import Mapping

from interlock.config import Config
from interlock.quality.judge import Judge
from interlock.quality.profile import Profile
from interlock.records.problems import Problem
from interlock.records.taxonomy import Choice
from interlock.sources.source import Source


async def judge_for(config: Config, sources: Mapping[str, Source]) -> Judge:
    """The judge under the configured profile.

    A source whose profile declares no categories is asked for its choice lists; one that cannot tell (no
    rights, no such list) has none, and the checks that need them raise nothing there.
    """
    profile = Profile.load(config.quality.profile) if config.quality.profile else Profile.default()
    for name, source in sources.items():
        if "incident" not in source.kinds or _declared(profile, name):
            continue
        try:
            categories = await source.choices("incident", "category")
            subcategories = await source.choices("incident", "subcategory")
        except Problem:
            continue
        profile = profile.with_taxonomy(name, _words(categories), _pairs(subcategories))
    return Judge(profile)


def _words(choices: list[Choice]) -> list[str]:
    return sorted({choice.value for choice in choices if choice.value and choice.active})


def _pairs(choices: list[Choice]) -> list[tuple[str, str]]:
    return sorted(
        {
            (choice.depends_on, choice.value)
            for choice in choices
            if choice.depends_on and choice.value and choice.active
        }
    )


def _declared(profile: Profile, source: str) -> bool:
    override = profile.incident.sources.get(source)
    return override is not None and override.categories is not None
