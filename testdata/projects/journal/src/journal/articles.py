"""The articles, as `articles.json` has them."""

import json
from dataclasses import asdict, dataclass
from importlib import resources


@dataclass(frozen=True)
class Article:
    """An article that is published."""

    id: str
    title: str
    subject: str
    authors: tuple[str, ...]

    @property
    def byline(self) -> str:
        """The authors, in a line: of more than two, only the first is named."""
        first, *others = self.authors
        match others:
            case []:
                return first
            case [second]:
                return f"{first}, {second}"
            case _:
                return f"{first} et al."

    def summary(self) -> dict:
        """Returns what programs are told of the article."""
        return asdict(self) | {"byline": self.byline}


def _load() -> dict[str, Article]:
    records = json.loads((resources.files(__package__) / "articles.json").read_text(encoding="utf-8"))
    articles = [Article(**record | {"authors": tuple(record["authors"])}) for record in records]
    return {article.id: article for article in articles}


ARTICLES = _load()
