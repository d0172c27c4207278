import six
import six.moves
from dateutil import parser, tz
from dateutil.relativedelta import relativedelta
from dateutil.tz import gettz
from six.moves import configparser, urllib
from six.moves.urllib.parse import quote, urlencode
import six.moves.urllib.request as request

if six.PY2:
    from cStringIO import StringIO
    import urllib2
else:
    from io import StringIO

try:
    import cPickle as pickle
except ImportError:
    import pickle

try:
    import simplejson as json
except ImportError:
    import json

try:
    unicode
except NameError:
    unicode = str
