import pytest

from journal.articles import ARTICLES, Article


@pytest.mark.parametrize(
    ("authors", "byline"),
    [(("A",), "A"), (("A", "B"), "A, B"), (("A", "B", "C"), "A et al.")],
)
def test_byline(authors, byline):
    assert Article("1", "", "", authors).byline == byline


def test_articles_are_known_by_their_ids():
    assert all(key == article.id for key, article in ARTICLES.items())
