"""The ASGI side: reads requests, carries faults out, writes answers. No framework: benchmarks run on it."""

from __future__ import annotations

import asyncio

from mock_servers import serving
from mock_servers.faults import Answer, Faults, Performer
from mock_servers.remedy.control import PREFIX, Control
from mock_servers.remedy.dialect import RemedyDialect
from mock_servers.remedy.instance import Call, Instance
from mock_servers.serving import Client, Receive, Scope, Send


class App:
    """The ASGI application over one instance."""

    def __init__(self, instance: Instance, faults: Faults) -> None:
        self.instance = instance
        self.faults = faults
        self.performer = Performer(RemedyDialect(instance.switches))
        self.control = Control(instance, faults, self.performer)
        self.base = ""

    @property
    def closing(self) -> asyncio.Event:
        return self.performer.closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        content: bytes | None = b""
        if b"content-length" in headers or b"transfer-encoding" in headers:
            content = await serving.body(receive, self.instance.switches.max_body)
        if content is None:
            await serving.write(send, Answer(413))
            return
        query = scope["query_string"].decode("latin-1")
        call = Call(scope["method"], scope["path"], query, headers, content, self.base)
        if call.path.startswith(PREFIX):
            await serving.write(send, self.control.answer(call))
            return
        self.control.requests[call.method] += 1
        client = Client(scope, receive, self.closing)
        answer = await self._answer(call, client)
        if answer is None:
            await client.gone()
            return
        await serving.write(send, answer, client)

    async def _answer(self, call: Call, client: Client) -> Answer | None:
        latency, rule = self.faults.draw(call.method, call.target, call.body)
        if latency:
            await self.performer.pause(latency)
        if rule is None:
            return self.instance.answer(call)
        return await self.performer.perform(rule, lambda: self.instance.answer(call), client)
