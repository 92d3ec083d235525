"""Real public files: each is recognised as what it is, or refused in words."""

from pathlib import Path

import pytest

from engine.checks.run import report
from engine.core.errors import UserError
from engine.formats.files.any_file import rows_of
from engine.formats.files.loaded_file import LoadedFile
from engine.formats.mapping_guess import guess
from engine.formats.read import known_columns, layout_of, understand


def loaded(path: Path) -> LoadedFile:
    """The rows, read in this process: forty others would take a minute to start."""
    return rows_of(path, path.name, known_columns())


# file -> (layout, kind, examples, broken rows)
EXPECTED: dict[str, tuple[str, str, int, int]] = {
    "bench/ifeval_input_data.jsonl": ("prompts", "prompts", 541, 0),
    # 80 first questions, and the 39 second ones whose first answer the file gives
    "bench/mt_bench_question.jsonl": ("questions", "prompts", 119, 0),
    "bench/vicuna_bench_question.jsonl": ("questions", "prompts", 80, 0),
    "preferences/disfl_qa_pairs_first1500.jsonl": ("preference", "preference", 1500, 0),
    "preferences/dpo_en_demo.sharegpt.json": ("preference", "preference", 300, 0),
    # five rows have answers to two different conversations
    "preferences/hh_rlhf_harmless_base_test.jsonl.gz": ("preference", "preference", 2307, 5),
    "preferences/kto_en_demo.messages.json": ("kto", "unpaired", 300, 0),
    "preferences/truthfulqa_pairs.jsonl": ("preference", "preference", 817, 0),
    "sft/c4_demo_first100.jsonl": ("text", "text", 100, 0),
    "sft/fastchat_dummy_conversation.sharegpt.json": ("sharegpt", "sft", 500, 0),
    "sft/glaive_toolcall_en_demo.sharegpt.json": ("sharegpt", "sft", 300, 0),
    "sft/gpteacher_roleplay_first500.json": ("alpaca", "sft", 500, 0),
    "sft/litgpt_dolly_12.json": ("alpaca", "sft", 12, 0),
    "sft/llamafactory_identity.alpaca.json": ("alpaca", "sft", 91, 0),
    "sft/oasst_en_first30_tree.jsonl": ("oasst", "sft", 30, 0),
    "sft/self_instruct_seed_tasks.jsonl": ("self_instruct", "sft", 175, 0),
    "sft/self_instruct_user_oriented.alpaca.json": ("alpaca", "sft", 252, 0),
    "sft/self_instruct_user_oriented.jsonl": ("self_instruct", "sft", 252, 0),
    "sft/tinyshakespeare_first10000lines.txt": ("text", "text", 1876, 0),
    "sft/wwdc25_train.prompt_completion.jsonl": ("prompt_completion", "sft", 1800, 0),
    "sft/wwdc25_valid.prompt_completion.jsonl": ("prompt_completion", "sft", 144, 0),
    "tasks/disfl_qa/dev_first200.messages.jsonl": ("messages", "sft", 200, 0),
    "tasks/disfl_qa/test_first500.messages.jsonl": ("messages", "sft", 500, 0),
    "tasks/disfl_qa/train_first3000.messages.jsonl": ("messages", "sft", 3000, 0),
    "tasks/e2e/testset_multi_ref.jsonl": ("prompts", "prompts", 630, 0),
    "tasks/gsm8k/test_first300.jsonl": ("question_answer", "sft", 300, 0),
    "tasks/gsm8k/train_first1500.jsonl": ("question_answer", "sft", 1500, 0),
    "tasks/nq_open_efficientqa_dev.jsonl": ("question_answer", "sft", 1800, 0),
    "tasks/scitldr/test_first200.jsonl": ("source_target", "sft", 200, 0),
    "tasks/scitldr/train_first500.jsonl": ("source_target", "sft", 500, 0),
    "tasks/wikisql/test.prompt_completion.csv": ("prompt_completion", "sft", 100, 0),
    "tasks/wikisql/test.text.jsonl": ("text", "text", 100, 0),
    "tasks/wikisql/train.prompt_completion.csv": ("prompt_completion", "sft", 1000, 0),
    "tasks/wikisql/train.text.jsonl": ("text", "text", 1000, 0),
    "tasks/wikisql/valid.prompt_completion.csv": ("prompt_completion", "sft", 100, 0),
    "tasks/wikisql/valid.text.jsonl": ("text", "text", 100, 0),
    "tasks/xquad_en.squad.json": ("squad", "sft", 1190, 0),
}

# files that no layout can know -> the columns that are guessed, and the rows
MAPPED: dict[str, tuple[dict[str, str], int]] = {
    "bench/biggen_bench_one_per_task.json": (
        {"system": "system_prompt", "prompt": "input", "answer": "reference_answer"},
        77,
    ),
    # templates of a judge: no examples, but what stands where is right
    "bench/judge_prompts.jsonl": (
        {"system": "system_prompt", "prompt": "prompt_template", "answer": "category"},
        8,
    ),
    "bench/truthfulqa.csv": ({"prompt": "question", "answer": "best answer"}, 817),
    "tasks/banking77/test.csv": ({"prompt": "text", "answer": "category"}, 3080),
    "tasks/banking77/train.csv": ({"prompt": "text", "answer": "category"}, 10003),
    "tasks/disfl_qa/train.json": ({"prompt": "disfluent", "answer": "original"}, 7182),
    "tasks/e2e/devset.csv": ({"prompt": "mr", "answer": "ref"}, 4672),
    "tasks/e2e/testset_w_refs.csv": ({"prompt": "mr", "answer": "ref"}, 4693),
    "tasks/snips_intent/test_210.csv": ({"prompt": "text", "answer": "intent"}, 210),
    "tasks/snips_intent/train_420.csv": ({"prompt": "text", "answer": "intent"}, 420),
}

# answers without the questions they belong to
USELESS = {"bench/mt_bench_reference_gpt4.jsonl"}

# counted by hand or stated by the makers of the files
FOUND = {
    "preferences/dpo_en_demo.sharegpt.json": {"exact_duplicates": 5},
    "sft/wwdc25_train.prompt_completion.jsonl": {"exact_duplicates": 437},
    "sft/llamafactory_identity.alpaca.json": {"unfilled_blanks": 85},
    "preferences/hh_rlhf_harmless_base_test.jsonl.gz": {"broken_rows": 5},
    "tasks/disfl_qa/train_first3000.messages.jsonl": {"asked_twice": 8},
}


def test_every_file_of_the_folder_has_its_expectation(shared_data):
    found = {
        str(path.relative_to(shared_data))
        for part in ("sft", "preferences", "tasks", "bench")
        for path in (shared_data / part).rglob("*")
        if path.is_file()
    }
    assert found == set(EXPECTED) | set(MAPPED) | USELESS


@pytest.mark.parametrize("name", EXPECTED)
def test_real_file_is_recognised(shared_data, name):
    parsed = understand(loaded(shared_data / name))
    found = parsed.layout, parsed.kind, len(parsed.examples), len(parsed.broken)
    assert found == EXPECTED[name]


@pytest.mark.parametrize("name", MAPPED)
def test_real_file_of_no_layout_is_guessed_right_and_not_read_unasked(shared_data, name):
    columns, count = MAPPED[name]
    found = loaded(shared_data / name)
    assert layout_of(found) == ""
    likely = guess([row for _, row in found.rows])
    assert likely.columns == columns
    assert len(understand(found, mapping=likely).examples) == count
    with pytest.raises(UserError, match="Map the columns"):
        understand(found)


@pytest.mark.parametrize("name", USELESS)
def test_real_file_that_teaches_nothing_is_refused_in_words(shared_data, name):
    with pytest.raises(UserError, match="No known layout fits the columns found: question_id"):
        understand(loaded(shared_data / name))


@pytest.mark.parametrize("name", FOUND)
def test_known_faults_of_real_files_are_counted(shared_data, name):
    found = understand(loaded(shared_data / name))
    said = {f.id: f.count for f in report(found).findings}
    assert said.items() >= FOUND[name].items()
