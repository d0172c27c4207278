"""The price list."""

import json
import pathlib

PRICES = json.loads(pathlib.Path(__file__).with_name("prices.json").read_text(encoding="utf-8"))


def price(item):
    """Returns the price of an item in cents."""
    return PRICES[item]
