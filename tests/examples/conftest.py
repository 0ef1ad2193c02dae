"""The fixtures of tests/service, which a test there has without more."""

from tests.service.conftest import api as api
from tests.service.conftest import serve as serve
