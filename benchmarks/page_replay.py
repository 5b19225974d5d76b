"""Pages that were rendered before: recorded once from the mock instance, then served at next to no cost.

``python -m benchmarks.page_replay FILE --port PORT`` serves what ``Recording.save`` wrote.
"""

from __future__ import annotations

import argparse
import asyncio
import pickle
from pathlib import Path
from urllib.parse import urlsplit

from interlock.adapterkit.wire import Answer, Call, Transport

KEPT_HEADERS = ("content-type", "x-total-count")


class Recording:
    """A transport that keeps every answer by the address it was asked by, in the order of asking."""

    def __init__(self, inner: Transport) -> None:
        self.inner, self.name = inner, inner.name
        self.pages: dict[str, bytes] = {}

    async def send(self, call: Call) -> Answer:
        answer = await self.inner.send(call)
        at = urlsplit(call.url)
        told = {name: answer.headers[name] for name in KEPT_HEADERS if name in answer.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        length = f"content-length: {len(answer.body)}\r\n\r\n"
        self.pages[f"{at.path}?{at.query}"] = f"HTTP/1.1 {answer.status} OK\r\n{head}{length}".encode() + answer.body
        return answer

    async def close(self) -> None:
        await self.inner.close()

    def save(self, path: Path) -> list[str]:
        """Write the pages; gives their addresses in the order in which they were asked for."""
        path.write_bytes(pickle.dumps(self.pages))
        return list(self.pages)


class _Replay(asyncio.Protocol):
    def __init__(self, pages: dict[bytes, bytes]) -> None:
        self._pages = pages
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            target = self._buffer[: self._buffer.index(b"\r\n")].split(b" ")[1]
            self._buffer = self._buffer[end + 4 :]
            self._transport.write(self._pages.get(target, b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"))


async def serve(pages: dict[bytes, bytes], port: int) -> None:
    """Serve until stopped."""
    server = await asyncio.get_running_loop().create_server(lambda: _Replay(pages), "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    recorded = pickle.loads(options.file.read_bytes())
    asyncio.run(serve({target.encode(): answer for target, answer in recorded.items()}, options.port))
