"""Which tests of the API run on a database of each kind: those whose point is what is stored."""

import pytest

EACH = pytest.mark.parametrize(
    "database", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)
