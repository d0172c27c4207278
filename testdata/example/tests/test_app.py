"""Not part of a bundle."""

import app


def test_total():
    assert app.handler({"items": ["apple", "bread"]}, None)["total"] == 280
