import importlib.metadata
import os
import sys


def test_contents_are_escaped(client):
    assert "How cells keep time &amp; place" in client.get("/").text


def test_an_article(client):
    assert client.get("/articles/00007").json["byline"] == "J Lind, P Sato"


def test_an_article_that_is_not_there(client):
    assert client.get("/articles/9").status_code == 404


def test_this_is_the_container():
    """What is tested is what is deployed: installed, not editable, and run by the user that runs it in production."""
    import journal

    assert journal.__file__.startswith(sys.prefix)
    assert importlib.metadata.version("journal") == "2.1.0"
    assert os.getuid() != 0
