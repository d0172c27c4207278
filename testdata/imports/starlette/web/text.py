from web import text as itself

GREETING = "hello"
