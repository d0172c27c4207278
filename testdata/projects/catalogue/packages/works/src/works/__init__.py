"""What a work of the catalogue is, to all who write, index or search it."""

from pydantic import BaseModel, Field


class Work(BaseModel):
    """A work, as the index holds it."""

    id: str = Field(pattern="^[a-z0-9]{8}$")
    title: str
    format: str
    year: int | None = None

    def matches(self, query: str) -> bool:
        """Returns whether all words of a query are in the title."""
        title = self.title.casefold()
        return all(word in title for word in query.casefold().split())
