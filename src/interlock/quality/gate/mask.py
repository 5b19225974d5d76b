"""The mask file: which checks are raised on which record, for ten million records, without reading any of them.

One file, memory-mapped, read with the standard library alone:

=========  =====================================================================================
header     magic, length and CRC-32 of the JSON that follows: codes in order of their bit, as-of
           time, scan, change sequence, number of records, the checks that ran, when sources
           were read, CRC-32 of everything after the header
buckets    uint32 x (2^bits + 1): where the records begin whose hash starts with these bits
hashes     uint64 x records, ascending: the lower half of the MD5 of the ref
masks      uint64 x records: bit n is the n-th code of the header
stale_at   uint32 x records: epoch second from which CI-STALE is raised; NEVER when it never is
=========  =====================================================================================

It is replaced whole (see ``numbered``). A hash may be that of another ref (once in 10^12 lookups at ten million
records), so whoever acts on a hit verifies it by reading the evidence.
"""

from __future__ import annotations

import json
import mmap
import struct
import zlib
from functools import lru_cache
from hashlib import md5
from pathlib import Path
from typing import Any, Final

from interlock.quality.gate.numbered import unusable

MAGIC: Final = b"ILMASK\x00\x01"
PREFIX: Final = struct.Struct("<8sII")  # magic, length and CRC-32 of the header
HEADER_BYTES: Final = 8_192  # reserved for prefix and header, so that the arrays begin on a page
NEVER: Final = 0xFFFF_FFFF
SUFFIX: Final = ".mask"
_CRC_CHUNK = 1 << 24


def hash_of(ref: str) -> int:
    """The lower half of the MD5 of a ref, as DuckDB's ``md5_number_lower`` gives it."""
    return int.from_bytes(md5(ref.encode("utf-8", "replace"), usedforsecurity=False).digest()[8:], "little")


class Mask:
    """One mask file, open for reading. It stays readable after it was replaced and deleted.

    Raises Problem internal when the file is missing, cut short or damaged, and says how to make a new one.
    """

    __slots__ = (
        "_buckets",
        "_codes_of",
        "_hashes",
        "_masks",
        "_shift",
        "_stale",
        "as_of",
        "codes",
        "harvested",
        "path",
        "ran",
        "records",
        "scan",
        "seq",
    )

    def __init__(self, path: Path) -> None:
        self.path = path
        header, arrays = _open(path)
        self.codes: tuple[str, ...] = tuple(header["codes"])
        self.as_of: int = header["as_of"]
        self.scan: str = header["scan"]
        self.seq: int = header["seq"]
        self.records: int = header["records"]
        self.ran = frozenset[str](header["ran"])
        self.harvested: dict[str, float] = header["harvested"]
        bits: int = header["bits"]
        self._shift = 64 - bits
        ends = sizes(bits, self.records)
        self._buckets = arrays[: ends[0]].cast("I")
        self._hashes = arrays[ends[0] : ends[1]].cast("Q")
        self._masks = arrays[ends[1] : ends[2]].cast("Q")
        self._stale = arrays[ends[2] : ends[3]].cast("I")
        self._codes_of = lru_cache(maxsize=4_096)(_named(self.codes))

    def find(self, ref: str) -> tuple[int, int]:
        """The bits raised on a ref and from when it is stale; ``(0, NEVER)`` when nothing is known of it."""
        wanted = int.from_bytes(md5(ref.encode("utf-8", "replace"), usedforsecurity=False).digest()[8:], "little")
        bucket = wanted >> self._shift
        hashes = self._hashes
        for at in range(self._buckets[bucket], self._buckets[bucket + 1]):
            if hashes[at] == wanted:
                return self._masks[at], self._stale[at]
        return 0, NEVER

    def named(self, bits: int) -> frozenset[str]:
        """The codes of some bits."""
        codes: frozenset[str] = self._codes_of(bits)
        return codes


def sizes(bits: int, records: int) -> tuple[int, int, int, int]:
    """Where buckets, hashes, masks and stale_at end, counted from the end of the header."""
    buckets = -(-((1 << bits) + 1) * 4 // 8) * 8  # whole words, so that the hashes are aligned
    return buckets, buckets + 8 * records, buckets + 16 * records, buckets + 20 * records


def _open(path: Path) -> tuple[dict[str, Any], memoryview]:
    try:
        with path.open("rb") as file:
            populate = getattr(mmap, "MAP_POPULATE", 0)  # page tables now, not one fault a lookup
            mapped = mmap.mmap(file.fileno(), 0, flags=mmap.MAP_SHARED | populate, prot=mmap.PROT_READ)
    except (OSError, ValueError) as error:
        raise unusable(path, str(error)) from error
    view = memoryview(mapped)
    if len(view) < HEADER_BYTES:
        raise unusable(path, f"it has {len(view)} bytes")
    magic, length, crc = PREFIX.unpack_from(view)
    if magic != MAGIC:
        raise unusable(path, "it begins otherwise, or is of another version")
    told = bytes(view[PREFIX.size : PREFIX.size + length])
    if length > HEADER_BYTES - PREFIX.size or zlib.crc32(told) != crc:
        raise unusable(path, "its header does not match its checksum")
    header: dict[str, Any] = json.loads(told)
    arrays = view[HEADER_BYTES:]
    wanted = sizes(header["bits"], header["records"])[-1]
    if len(arrays) != wanted:
        raise unusable(path, f"{len(arrays)} bytes follow its header, not {wanted}")
    if checksum(arrays) != header["crc"]:
        raise unusable(path, "its records do not match their checksum")
    return header, arrays


def checksum(arrays: memoryview) -> int:
    """CRC-32, in pieces that let other threads run."""
    crc = 0
    for at in range(0, len(arrays), _CRC_CHUNK):
        crc = zlib.crc32(arrays[at : at + _CRC_CHUNK], crc)
    return crc


def _named(codes: tuple[str, ...]) -> Any:
    def named(bits: int) -> frozenset[str]:
        return frozenset([code for at, code in enumerate(codes) if bits >> at & 1])

    return named
