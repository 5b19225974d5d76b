"""Secrets are named in the configuration, not written there: ``env:NAME`` or ``file:/path``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, SecretStr, ValidationInfo

MAX_SECRET = 65_536


class Literal(SecretStr):
    """A secret that stands in the configuration itself: taken for test environments only."""


def resolve(value: object, environ: Mapping[str, str], folder: Path) -> SecretStr:
    """The secret that ``value`` names. Raises ValueError when it is not there, without showing any of it."""
    if isinstance(value, SecretStr):
        return value
    if not isinstance(value, str):
        raise ValueError("must be text: env:NAME or file:/path")
    where, _, name = value.partition(":")
    if where == "env":
        found = environ.get(name)
        if not found:
            state = "is empty" if found == "" else "is not set"
            raise ValueError(f"the environment variable {name} {state}")
        return SecretStr(found)
    if where == "file":
        return SecretStr(_read(folder / name))
    return Literal(value)


def _read(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MAX_SECRET + 1)
    except OSError as error:
        raise ValueError(f"the secret file {path} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ValueError(f"the secret file {path} is not UTF-8 text") from None
    text = text.rstrip("\r\n")
    if not text or len(text) > MAX_SECRET:
        raise ValueError(f"the secret file {path} is {'empty' if not text else 'too large'}")
    return text


def _from_context(value: object, info: ValidationInfo) -> SecretStr:
    context = info.context or {}
    return resolve(value, context.get("environ", {}), context.get("folder", Path()))


Secret = Annotated[SecretStr, BeforeValidator(_from_context)]
"""A field of a configuration model that holds a secret."""


def resolve_tree(value: Any, info: ValidationInfo) -> Any:
    """Free-form settings with every ``env:`` and ``file:`` text in them resolved."""
    if isinstance(value, dict):
        return {key: resolve_tree(entry, info) for key, entry in value.items()}
    if isinstance(value, list):
        return [resolve_tree(entry, info) for entry in value]
    if isinstance(value, str) and value.startswith(("env:", "file:")):
        return _from_context(value, info)
    return value


def secrets_in(value: Any) -> Iterator[SecretStr]:
    """Every secret inside a model or a tree of settings."""
    if isinstance(value, SecretStr):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from secrets_in(getattr(value, name))
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from secrets_in(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from secrets_in(entry)
