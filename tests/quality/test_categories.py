"""Variants of a category are recognised; other categories, and numbered ones, are not."""

from __future__ import annotations

import random

import duckdb
import pytest

from interlock.quality.categories import Categories, Match, distance, plain

DECLARED = Categories(["network", "hardware", "software", "inquiry", "password_reset", "Category 4", "Category 42"])


@pytest.mark.parametrize(
    ("word", "canonical"),
    [
        ("NETWORK", "network"),
        ("netork", "network"),
        ("networks", "network"),
        ("netwrok", "network"),
        (" Network. ", "network"),
        ("Password Reset", "password_reset"),
        ("password-rest", "password_reset"),
        ("sofware", "software"),
        ("Inquiry", "inquiry"),
        ("category_42", "Category 42"),
    ],
)
def test_a_variant_is_recognised(word: str, canonical: str) -> None:
    found = DECLARED.match(word)
    assert found is not None
    assert found.canonical == canonical


@pytest.mark.parametrize(
    "word", ["telephony", "net", "", None, "---", "Category 43", "Category 2", "Category", "wares"]
)
def test_another_word_is_no_variant(word: str | None) -> None:
    assert DECLARED.match(word) is None


def test_the_declared_word_itself_wins_over_one_like_it() -> None:
    both = Categories(["database", "databases"])
    assert both.match("databases") == Match("databases", 100)
    assert both.match("Database") == Match("database", 100)


def test_of_equally_near_ones_the_first_by_name() -> None:
    assert Categories(["cards", "carts"]).match("carks") == Match("cards", 80)


def test_the_limit_is_three_quarters() -> None:
    assert Categories(["abcd"]).match("abcx") == Match("abcd", 75)
    assert Categories(["abcdefg"]).match("abcdexy") is None  # 5 of 7


def test_a_long_word_costs_nothing() -> None:
    words = Categories(["x" * 41, "y" * 40])
    assert words.match("x" * 40 + "z") is None
    assert words.match("x" * 41) == Match("x" * 41, 100)
    assert words.match("y" * 39) == Match("y" * 40, 97)


def test_a_source_that_declares_nothing_matches_nothing() -> None:
    assert Categories([]).match("network") is None


def test_the_distance_is_the_one_of_the_engine() -> None:
    chance = random.Random(5)
    words = ["".join(chance.choice("abcß ") for _ in range(chance.randrange(9))) for _ in range(600)]
    pairs = list(zip(words, reversed(words), strict=True))
    with duckdb.connect() as con:
        told = [
            con.execute("select damerau_levenshtein(?, ?)", pair).fetchall()[0][0]
            for pair in pairs
            if pair[0].isascii() and pair[1].isascii()  # the engine counts bytes
        ]
    assert len(told) > 100
    assert told == [distance(*pair) for pair in pairs if pair[0].isascii() and pair[1].isascii()]


def test_plain_keeps_letters_and_digits_of_any_script() -> None:
    assert plain("  Größe/1 -- ÄB_ж ") == "grösse 1 äb ж"
