import pytest

from sampleproject import say


@pytest.mark.parametrize(
    ("language", "said"),
    [("de", "Das macht 91 oder XCI."), ("en", "That makes 91, or XCI."), ("la", "Summa est XCI.")],
)
def test_say(language, said):
    assert say([45, 46], language) == said
