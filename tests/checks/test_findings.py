"""A finding: what is stored of it, and what older versions stored."""

from engine.core.dataset import Dataset
from engine.core.finding import Finding

STORED_BY_0_1_0 = {
    "id": "empty_answers", "severity": "error", "count": 1, "rows": [7],
    "message": "1 row with an empty answer.", "fix": "Fill in the answer.",
    "mend": "drop_empty_turns",
}  # fmt: skip


def test_finding_reads_the_names_that_earlier_versions_stored():
    one = Finding.model_validate(STORED_BY_0_1_0)
    assert (one.hint, one.fix_id) == ("Fill in the answer.", "drop_empty_turns")
    assert Finding.model_validate(one.model_dump(mode="json")) == one


def test_dataset_stored_by_an_earlier_version_keeps_its_findings():
    stored = {
        "id": "dataset-1", "project_id": "project-1", "name": "faq", "version": 1, "kind": "sft",
        "layout": "messages", "rows": 1, "train_rows": 1, "held_out_rows": 0, "sha256": "0",
        "file": "datasets/dataset-1", "origin": {}, "findings": [STORED_BY_0_1_0],
        "created_by": "local", "created_at": 0.0,
    }  # fmt: skip
    (one,) = Dataset.model_validate(stored).findings
    assert one.fix_id == "drop_empty_turns"
