import sqlite3
from importlib.resources import files


def names():
    connection = sqlite3.connect(":memory:")
    connection.executescript((files("store") / "schema.sql").read_text())
    seed = files("store").joinpath("data", "seed.sql").read_text()
    connection.executescript(seed)
    return [name for (name,) in connection.execute("SELECT name FROM item ORDER BY name")]
