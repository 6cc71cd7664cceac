"""A calibration as a picture: ROC curve, precision-recall curve, and the scores of good and bad observations.

Colours are distinguishable in every common form of colour blindness (Okabe and Ito's), and lines also by their style.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve, roc_curve

from reseek.oracle.making.calibration_card import Card
from reseek.oracle.making.curves import Scored

_BLUE, _ORANGE, _GREEN, _GREY = "#0072B2", "#D55E00", "#009E73", "#777777"


def draw(path: Path, scored: Scored, card: Card) -> None:
    """Write the picture (its kind by the path's ending)."""
    figure = Figure(figsize=(13, 4.4), layout="constrained")
    roc, precision_recall, scores = figure.subplots(1, 3)
    marks = (
        (card.configured.threshold, "o", _ORANGE, "configured"),
        (card.best.threshold, "^", _GREEN, "best accuracy"),
    )

    false_rate, true_rate, _ = roc_curve(scored.good_N, scored.score_N)
    roc.plot(false_rate, true_rate, color=_BLUE, label=f"AUC {card.auc}")
    roc.plot([0, 1], [0, 1], color=_GREY, linestyle=":", label="chance")
    precision, recall, _ = precision_recall_curve(scored.good_N, scored.score_N)
    precision_recall.plot(recall, precision, color=_BLUE, label=f"average precision {card.average_precision}")
    precision_recall.axhline(card.good_share, color=_GREY, linestyle=":", label="always good")
    for threshold, marker, colour, name in marks:
        called_N = scored.score_N > threshold
        found = float((called_N & scored.good_N).sum() / scored.good_N.sum())
        wrong = float((called_N & ~scored.good_N).sum() / max((~scored.good_N).sum(), 1))
        label = f"{name}: above {threshold:.2f}"
        roc.plot(wrong, found, marker, color=colour, markersize=9, label=label)
        if called_N.any():
            share = float(scored.good_N[called_N].mean())
            precision_recall.plot(found, share, marker, color=colour, markersize=9, label=label)
    roc.set(xlabel="bad ones called good", ylabel="good ones called good", title="ROC", xlim=(0, 1), ylim=(0, 1.02))
    precision_recall.set(xlabel="recall", ylabel="precision", title="Precision and recall", xlim=(0, 1), ylim=(0, 1.02))

    bins = np.linspace(0, 1, 26)
    scores.hist(scored.score_N[scored.good_N], bins, color=_BLUE, alpha=0.75, label="good")
    scores.hist(
        scored.score_N[~scored.good_N], bins, histtype="step", color=_ORANGE, linewidth=2, hatch="//", label="bad"
    )
    for (threshold, _, colour, name), style in zip(marks, ("--", "-."), strict=True):
        scores.axvline(threshold, color=colour, linestyle=style, label=f"{name}: {threshold:.2f}")
    scores.set(xlabel="score", ylabel="observations", title="Scores", xlim=(0, 1))
    scores.set_ylim(top=1.35 * scores.get_ylim()[1])  # room for the legend
    for axes, place in ((roc, "lower right"), (precision_recall, "lower left"), (scores, "upper center")):
        axes.legend(loc=place, fontsize=8, framealpha=1)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"{card.oracle.name}: {card.data['what']} ({card.observations:,} observations)")
    figure.savefig(path, dpi=110)
