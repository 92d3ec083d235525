from pathlib import Path

import pytest

from engine.models.chat_template import Template


@pytest.fixture
def template(tiny_model: Path) -> Template:
    return Template.load(tiny_model)
