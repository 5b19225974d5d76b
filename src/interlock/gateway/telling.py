"""While a gateway runs, webhooks are sent: a failing receiver waits, the rest goes on."""

from __future__ import annotations

import asyncio
import sqlite3

import httpx

from interlock.clock import Clock
from interlock.config import Config
from interlock.quality.flags import FlagStore
from interlock.quality.flags.webhooks import Webhooks
from interlock.state.errors import StateError
from interlock.telemetry import Telemetry

_LOOK_S = 1.0  # how soon an event is on its way


async def tell(config: Config, clock: Clock, telemetry: Telemetry) -> None:
    """Send what happens to flags until cancelled. Ends at once when nobody asked to be told."""
    if not config.webhooks:
        return
    FlagStore(config.state, clock).close()  # so that the log is there
    async with httpx.AsyncClient(trust_env=False) as client:
        webhooks = Webhooks(config.state, config.webhooks, clock, telemetry.log, client)
        try:
            while True:
                try:
                    while await webhooks.run_once():
                        pass
                except (StateError, sqlite3.Error) as error:  # a busy or full disk: the place in the log is kept
                    telemetry.log.warning("webhooks wait", why=str(error))
                await asyncio.sleep(_LOOK_S)
        finally:
            webhooks.close()
