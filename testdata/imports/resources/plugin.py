import setuptools
import distutils.version
from distutils.util import strtobool

import pkg_resources
from pkg_resources import DistributionNotFound, get_distribution
from setuptools import find_packages
from setuptools.command.build_py import build_py
