"""Every simulated rater says what it goes by."""

import pytest

from engine import plugins
from engine.core.errors import UserError
from engine.simulated_raters.rule import stated


@pytest.mark.parametrize("name", plugins.names("raters"))
def test_every_rater_states_its_rule_in_one_sentence(name):
    rule = stated(name)
    assert rule.endswith(".")
    assert rule.count(".") == 1
    assert "\n" not in rule


def test_no_two_raters_state_the_same_rule():
    rules = [stated(name) for name in plugins.names("raters")]
    assert len(set(rules)) == len(rules)


def test_unknown_rater_is_refused_with_the_known_names():
    with pytest.raises(UserError, match="expert"):
        stated("oracle")
