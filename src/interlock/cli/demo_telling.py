"""How the demo tells what happens, and what it means."""

from __future__ import annotations

from typing import Any

from interlock.cli.options import out


def say(text: str) -> None:
    out.print(text)


def step(number: str, text: str) -> None:
    out.print(f"\n[bold cyan]{number}[/] [bold]{text}[/]")


def mark(good: bool, text: str) -> None:
    out.print("   [green]ok[/] " if good else "   [bold red]NOT ok[/] ", end="")
    out.print(text, markup=False)


def row(row: dict[str, Any]) -> None:
    out.print(
        f"     {row['ref']}  {row.get('state')}  {row.get('title')}  standing={row['standing']} {row['flags']}",
        markup=False,
    )


def flag(flag: dict[str, Any]) -> None:
    out.print(f"     {flag['code']} ({flag['severity']}): {flag.get('evidence')}", markup=False)
    out.print(f"       lifted by: {flag['lifts']}", markup=False)


def reason(reason: dict[str, Any]) -> None:
    out.print(
        f"     {reason.get('code', reason['kind'])} -> {reason['effect']}: {reason.get('evidence', reason['detail'])}",
        markup=False,
    )
    if reason.get("lifts"):
        out.print(f"       lifted by: {reason['lifts']}", markup=False)


def receipt(body: dict[str, Any]) -> str:
    receipt = body.get("receipt", {})
    return f"receipt {receipt.get('id')}: {receipt.get('outcome')}, read back: {fields(receipt)}"


def fields(receipt: dict[str, Any]) -> str:
    told = ", ".join(f"{field['field']}={field.get('found')}" for field in receipt.get("fields", []))
    return told or ("verified" if receipt.get("verified") else str(receipt.get("detail")))
