"""Names that columns have in files of people: role -> names in many languages, surest first."""

import re
import unicodedata

# English, German, French, Spanish, Italian, Portuguese, Dutch, Polish, Chinese, Japanese, Russian;
# an underscore stands for a space
SPELLED = {
    "system": """
        system_prompt system system_message persona systemprompt system_text
    """,
    "prompt": """
        prompt question instruction query user user_input user_message frage fragen anfrage
        aufgabe anweisung eingabe pregunta consulta instruccion domanda pergunta requete vraag
        pytanie polecenie 问题 提问 指令 質問 вопрос запрос q questions human customer request
        ask utterance message ticket input eingang entree entrada source src quelle mr
        meaning_representation disfluent noisy incorrect article document dialogue dialog post
        review text sentence body subject betreff task premise content inhalt email mail kunde
    """,
    "context": """
        context passage paragraph kontext contexte contexto contesto hintergrund background
        evidence article document input story 上下文
    """,
    "answer": """
        answer completion response output target best_answer reply assistant antwort antworten
        ausgabe reponse respuesta risposta resposta antwoord odpowiedz 回答 答案 答え ответ a
        bot agent chatbot reference_answer gold gold_answer expected expected_output ideal
        solution losung loesung label_text ref reference tgt ziel sortie summary highlights
        abstract tldr zusammenfassung resumen translation ubersetzung uebersetzung corrected
        correction fluent rewrite sql code title headline intent category kategorie class klasse
        label topic thema sentiment tag absicht original answers
    """,
    "references": """
        references accepted_answers reference_answers correct_answers referenzen aliases
        gold_answers answers
    """,
    "chosen": """
        chosen preferred better winner_answer chosen_response preferred_output best besser gut
        accepted win response_good good positive
    """,
    "rejected": """
        rejected dispreferred worse loser_answer rejected_response non_preferred_output worst
        schlechter schlecht lose bad negative
    """,
    "label": """
        label liked thumbs_up thumb feedback is_good good upvoted bewertung helpful correct
        approved rating vote
    """,
    "text": """
        text content body texte texto testo inhalt document
    """,
}
NAMES = {
    role: {name.replace("_", " "): 1 - n / 1000 for n, name in enumerate(names.split())}
    for role, names in SPELLED.items()
}

# what says something about a row, and is not said in it
ASIDE = """
    algorithm annotator attribution author autor copyright credit credits
    licencia licenza lizenz capability count created date datum description format guid
    hash id ids idx index key lang language left length licence license link model motivation name
    no nr number rank right score split sprache status time timestamp type uid updated url user_id
    uuid version winner worker
"""
BESIDE = frozenset(ASIDE.split())
SPELLED_WORSE = """
    abgelehnt dispreferred loser losing reject rejected schlechter schlechteste unpreferred
    verworfen worse worst
"""
WORSE = frozenset(SPELLED_WORSE.split())
WORDS = re.compile(r"[^\W\d_]+|\d+")
CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def words_of(name: str) -> list[str]:
    """The words of a column's name, without case and accents: ["user", "input"] of "UserInput"."""
    plain = unicodedata.normalize("NFKD", CAMEL.sub(" ", name[:200]))
    bare = "".join(mark for mark in plain if not unicodedata.combining(mark))
    return WORDS.findall(unicodedata.normalize("NFKC", bare).casefold())


def likeness(name: str, role: str) -> float:
    """How well a column's name fits a role: 3 is its name, 2 and 1 a word of it, 0 not at all."""
    words = words_of(name)
    if not words:
        return 0.0
    known = NAMES[role]
    whole = max(known.get(" ".join(words), 0.0), known.get("".join(words), 0.0))
    if whole:
        return 2 + whole
    if len(words) > 1 and words[-1] in known and words[-1] not in BESIDE:
        return 1 + known[words[-1]]
    return max((known.get(word, 0.0) for word in words), default=0.0) if len(words) > 1 else 0.0


def is_rejected(name: str) -> bool:
    """Whether a column's name says that it holds an answer that must not be learned."""
    words = words_of(name)
    return not WORSE.isdisjoint(words) or words[:2] == ["non", "preferred"]


def is_beside(name: str) -> bool:
    """Whether a column's name says that it holds no text to learn or ask."""
    words = words_of(name)
    return bool(words) and (words[-1] in BESIDE or words[0] in ("annotator", "model", "motivation"))
