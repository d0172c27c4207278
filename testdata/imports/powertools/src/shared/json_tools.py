try:
    import orjson as json
except ModuleNotFoundError:
    import json
