import attr
import attrs
from attr import validators as v
from attr.validators import instance_of
from attrs import define, field
from attrs.converters import optional


@define
class Point:
    x: int = field(validator=instance_of(int), converter=optional(int))


@attr.s
class Old:
    y = attr.ib(validator=v.instance_of(int))


def handler(event, context):
    return attrs.asdict(Point(1))
