from pathlib import Path

import pytest

from engine.models.chat import Template


@pytest.fixture
def template(tiny_model: Path) -> Template:
    return Template.load(tiny_model)
