"""Adds numbers, and says the sum as the Romans did."""

import json
from importlib import resources

import roman

PHRASES = json.loads((resources.files(__package__) / "data" / "phrases.json").read_text(encoding="utf-8"))


def say(numbers: list[int], language: str = "en") -> str:
    """Returns the sum of numbers in a sentence, in Arabic and in Roman figures."""
    total = sum(numbers)
    return PHRASES[language].format(total=total, roman=roman.toRoman(total))
