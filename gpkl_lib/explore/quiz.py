"""Quiz: a question on the page that answers at once."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Sequence

import traitlets

from gpkl_lib.explore.base import Explorable


def _rich(text: str) -> str:
    """Escaped HTML, with *symbols* in italics and `code` as code."""
    text = html.escape(text)
    text = re.sub(r"\*([^*]+)\*", r'<i class="gpkl-var">\1</i>', text)
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", text)


class Quiz(Explorable):
    """A question with choices, or with a number for an answer, judged in the browser. Nothing is stored.

    Text is plain Unicode; *x* between stars is set as a symbol, `x` between backticks as code.

    Args:
        question: the question.
        choices: 2 to 8 answers to choose from; leave it out to ask for a number.
        answer: the index of the right choice, or the number. Let the cell compute it.
        tolerance: how far from `answer` a number may be, both ends included; needed for a number, at least 0.
        explain: why the answer is right; shown once it is given.

    Raises:
        ValueError: choices, answer and tolerance do not fit together.

    Example:
        >>> quiz = Quiz("What is 2 + 2?", answer=4, tolerance=0.0, explain="Count.")
        >>> quiz.answer
        4.0
    """

    question = traitlets.Unicode().tag(sync=True)
    choices = traitlets.List(traitlets.Unicode()).tag(sync=True)
    answer = traitlets.Float().tag(sync=True)
    tolerance = traitlets.Float().tag(sync=True)
    explain = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        question: str,
        *,
        choices: Sequence[str] = (),
        answer: float,
        tolerance: float | None = None,
        explain: str,
    ) -> None:
        answer = float(answer)
        if choices:
            if not 2 <= len(choices) <= 8:
                raise ValueError(f"choices must hold 2 to 8 answers, got {len(choices)}")
            if answer not in range(len(choices)):
                raise ValueError(f"answer must be the index of a choice, 0 to {len(choices) - 1}, got {answer:g}")
            if tolerance is not None:
                raise ValueError("tolerance belongs to a number; a choice is right or wrong")
        elif tolerance is None or not tolerance >= 0:
            raise ValueError(f"tolerance must be at least 0 for a number, got {tolerance}")
        elif not math.isfinite(answer):
            raise ValueError(f"answer must be finite, got {answer}")
        super().__init__(
            question=question, choices=list(choices), answer=answer, tolerance=tolerance or 0.0, explain=explain
        )

    def still(self) -> str:
        """The question, its choices, and the answer folded away: works without JavaScript and prints."""
        items = "".join(f"<li>{_rich(choice)}</li>" for choice in self.choices)
        answer = _rich(self.choices[int(self.answer)]) if self.choices else f"{self.answer:.4g}"
        return (
            f'<div class="gpkl gpkl-quiz"><p class="gpkl-question">{_rich(self.question)}</p>'
            + (f'<ol type="a">{items}</ol>' if items else "")
            + f"<details><summary>Answer</summary><p>{answer}. {_rich(self.explain)}</p></details></div>"
        )
