"""What a table or figure finds, in the sentence that a caption begins with."""

from __future__ import annotations

import pandas as pd

from analysis import answer
from analysis.load import Setting, targets_of

RULES = {
    "main": "choice",
    "ranking": "ranking",
    "tau_top": "ranking",
    "tau_by_method": "whole",
    "estimate_vs_truth": "whole",
    "selection": "oracle",
    "best_of_n": "oracle",
    "cost": "cost",
    "accuracy_vs_cost": "choice",
    "regret_vs_cost": "choice",
}
"""Which finding of a chapter opens the caption of a table or figure."""


def found(name: str, setting: Setting, rows: pd.DataFrame) -> str:
    """The sentence of the table or figure `name`; nothing where there is no rule for it, or nothing to say."""
    rule = RULES.get(name)
    if rule is None or not setting.truth or rows.empty:
        return ""
    one, part = (setting, rows) if setting.target else targets_of(setting, rows)[0]
    protocol = next(answer.protocols(part))
    of = answer.answer(one, part, protocol, answer.NO_CLAIMS)
    if rule == "whole":
        return dict(of.sentences).get("Ranking", "")
    return answer.chapters(of).get(rule, "")
