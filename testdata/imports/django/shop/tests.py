from django.test import TestCase

import factory_boy_of_the_tests
