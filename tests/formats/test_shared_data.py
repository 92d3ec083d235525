"""Real public files: each is recognised as what it is, or refused in words."""

import pytest

from engine.checks.run import report
from engine.core.errors import UserError
from engine.formats.read import read_file

# file -> (layout, examples, broken rows), or the start of the reason why it is refused
EXPECTED: dict[str, tuple[str, int, int] | str] = {
    "preferences/disfl_qa_pairs_first1500.jsonl": ("preference", 1500, 0),
    "preferences/dpo_en_demo.sharegpt.json": ("preference", 300, 0),
    # five rows have answers to two different conversations
    "preferences/hh_rlhf_harmless_base_test.jsonl.gz": ("preference", 2307, 5),
    "preferences/kto_en_demo.messages.json": ("kto", 300, 0),
    "preferences/truthfulqa_pairs.jsonl": ("preference", 817, 0),
    "sft/c4_demo_first100.jsonl": ("text", 100, 0),
    "sft/fastchat_dummy_conversation.sharegpt.json": ("sharegpt", 500, 0),
    "sft/glaive_toolcall_en_demo.sharegpt.json": ("sharegpt", 300, 0),
    "sft/gpteacher_roleplay_first500.json": ("alpaca", 500, 0),
    "sft/litgpt_dolly_12.json": ("alpaca", 12, 0),
    "sft/llamafactory_identity.alpaca.json": ("alpaca", 91, 0),
    "sft/oasst_en_first30_tree.jsonl": "columns found: message_tree_id, tree_state, prompt.",
    "sft/self_instruct_seed_tasks.jsonl": "columns found: id, name, instruction, instances,",
    "sft/self_instruct_user_oriented.alpaca.json": ("alpaca", 252, 0),
    "sft/self_instruct_user_oriented.jsonl": "columns found: id, motivation_app, instruction,",
    "sft/tinyshakespeare_first10000lines.txt": ("text", 1876, 0),
    "sft/wwdc25_train.prompt_completion.jsonl": ("prompt_completion", 1800, 0),
    "sft/wwdc25_valid.prompt_completion.jsonl": ("prompt_completion", 144, 0),
    "tasks/banking77/test.csv": "columns found: text, category.",
    "tasks/banking77/train.csv": "columns found: text, category.",
    "tasks/disfl_qa/dev_first200.messages.jsonl": ("messages", 200, 0),
    "tasks/disfl_qa/test_first500.messages.jsonl": ("messages", 500, 0),
    "tasks/disfl_qa/train.json": "one JSON object with 7,182 named rows",
    "tasks/disfl_qa/train_first3000.messages.jsonl": ("messages", 3000, 0),
    "tasks/e2e/devset.csv": "columns found: mr, ref.",
    "tasks/e2e/testset_multi_ref.jsonl": ("prompts", 630, 0),
    "tasks/e2e/testset_w_refs.csv": "columns found: mr, ref.",
    "tasks/gsm8k/test_first300.jsonl": "columns found: question, answer.",
    "tasks/gsm8k/train_first1500.jsonl": "columns found: question, answer.",
    "tasks/nq_open_efficientqa_dev.jsonl": ("prompts", 1800, 0),
    "tasks/scitldr/test_first200.jsonl": "columns found: source, source_labels,",
    "tasks/scitldr/train_first500.jsonl": "columns found: source, source_labels,",
    "tasks/snips_intent/test_210.csv": "columns found: text, intent.",
    "tasks/snips_intent/train_420.csv": "columns found: text, intent.",
    "tasks/wikisql/test.prompt_completion.csv": ("prompt_completion", 100, 0),
    "tasks/wikisql/test.text.jsonl": ("text", 100, 0),
    "tasks/wikisql/train.prompt_completion.csv": ("prompt_completion", 1000, 0),
    "tasks/wikisql/train.text.jsonl": ("text", 1000, 0),
    "tasks/wikisql/valid.prompt_completion.csv": ("prompt_completion", 100, 0),
    "tasks/wikisql/valid.text.jsonl": ("text", 100, 0),
    "tasks/xquad_en.squad.json": "columns found: data, version.",
}

# counted by hand or stated by the makers of the files
FOUND = {
    "preferences/dpo_en_demo.sharegpt.json": {"exact_duplicates": 5},
    "sft/wwdc25_train.prompt_completion.jsonl": {"exact_duplicates": 437},
    "sft/llamafactory_identity.alpaca.json": {"unfilled_blanks": 85},
    "preferences/hh_rlhf_harmless_base_test.jsonl.gz": {"broken_rows": 5},
    "tasks/disfl_qa/train_first3000.messages.jsonl": {},
}


def test_every_file_of_the_folder_has_its_expectation(shared_data):
    found = {
        str(path.relative_to(shared_data))
        for part in ("sft", "preferences", "tasks")
        for path in (shared_data / part).rglob("*")
        if path.is_file()
    }
    assert found == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_real_file_is_recognised_or_refused_in_words(shared_data, name):
    expected = EXPECTED[name]
    path = shared_data / name
    if isinstance(expected, str):
        with pytest.raises(UserError) as caught:
            read_file(path, path.name)
        assert expected in caught.value.problem
        assert caught.value.fix
    else:
        parsed = read_file(path, path.name)
        assert (parsed.layout, len(parsed.examples), len(parsed.broken)) == expected


@pytest.mark.parametrize("name", FOUND)
def test_known_faults_of_real_files_are_counted(shared_data, name):
    path = shared_data / name
    said = {f["id"]: f["count"] for f in report(read_file(path, path.name))["findings"]}
    assert said.items() >= FOUND[name].items()
    assert FOUND[name] or said == {}
