import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from engine.core.errors import UserError
from engine.metrics.labels import accuracy, macro_f1
from engine.metrics.score import gain, refuse, score_rows
from engine.stats.confusion import OTHER, confusion, label
from tests.metrics.pairs import LABEL_ROWS, LATIN_PAIRS, OTHER_PAIRS

GIVEN, RIGHT = zip(*LABEL_ROWS, strict=True)
Y = [label(row[0]) for row in RIGHT]
P = [label(text) for text in GIVEN]
KNOWN = sorted(set(Y))


def test_accuracy_equals_scikit_learn():
    assert accuracy(GIVEN, RIGHT).overall == pytest.approx(accuracy_score(Y, P), abs=1e-9)


def test_macro_f1_equals_scikit_learn():
    theirs = f1_score(Y, P, labels=KNOWN, average="macro", zero_division=0)
    assert macro_f1(GIVEN, RIGHT).overall == pytest.approx(theirs, abs=1e-9)


def test_macro_f1_of_awkward_texts_equals_scikit_learn():
    pairs = [(prediction, [accepted[0]]) for prediction, accepted in LATIN_PAIRS + OTHER_PAIRS]
    y, p = [label(a[0]) for _, a in pairs], [label(text) for text, _ in pairs]
    theirs = f1_score(y, p, labels=sorted(set(y)), average="macro", zero_division=0)
    assert macro_f1(*zip(*pairs, strict=True)).overall == pytest.approx(theirs, abs=1e-9)


def test_macro_f1_of_known_labels_equals_plain_scikit_learn():
    given = [text if label(text) in KNOWN else "no" for text in GIVEN]
    theirs = f1_score(Y, [label(text) for text in given], average="macro")
    assert macro_f1(given, RIGHT).overall == pytest.approx(theirs, abs=1e-9)


def test_confusion_equals_scikit_learn():
    found = confusion(GIVEN, RIGHT)
    known = [text if text in KNOWN else OTHER for text in P]
    assert found.labels == (*KNOWN, OTHER)
    assert found.counts == tuple(
        map(tuple, confusion_matrix(Y, known, labels=[*KNOWN, OTHER]).tolist())
    )


def test_failed_answer_is_in_no_cell():
    assert confusion(["yes", None], [["yes"], ["no"]]).counts == ((0, 0), (0, 1))


def test_any_accepted_label_is_right():
    rows = ["Paris.", "rome"], [["london", "PARIS"], ["milan"]]
    assert accuracy(*rows).each == (1, 0)
    assert macro_f1(*rows).overall == pytest.approx(0.5)


def test_two_models_are_compared_by_the_same_labels_whichever_rows_failed():
    right = [["a"], ["b"], ["c"]] * 10
    base = score_rows("macro_f1", [None, "b", "a"] * 10, right)
    new = score_rows("macro_f1", ["a", "b", "c"] * 10, right)
    assert base.mean.score == pytest.approx(f1_score(["b", "c"], ["b", "a"], labels=["b", "c"],
                                                     average="macro", zero_division=0))  # fmt: skip
    assert gain("macro_f1", base, new).diff == pytest.approx(0.5)


def test_texts_that_are_no_labels_are_refused_before_a_model_is_asked():
    with pytest.raises(UserError, match="300 different texts, not labels"):
        refuse(["bleu", "macro_f1"], [[f"text {n}"] for n in range(300)])
    refuse(["macro_f1"], [["yes"], ["no"]])
