def of(name: str) -> str:
    match name:
        case "":
            return "hello"
        case _:
            return f"hello {name!r:>{10}}"
