import ruamel.yaml
import zope.event
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from zope import interface
from zope.interface import Interface, implementer
from zope.interface.verify import verifyObject


class IThing(Interface):
    pass


@implementer(IThing)
class Thing:
    pass
