"""Answers with a greeting and the total of an order."""

import sys

import example_banner
import example_greeting
import example_tally

import shop


def handler(event, context):
    """Returns the greeting, the total, and which wheel of example-tally was bundled."""
    prices = [shop.price(item) for item in event.get("items", [])]
    return {
        "greeting": example_banner.frame(example_greeting.greet(event.get("name", "world"), event.get("language", "en"))),
        "total": example_tally.total(prices),
        "build": example_tally.BUILD,
        "python": "{}.{}".format(*sys.version_info[:2]),
    }
