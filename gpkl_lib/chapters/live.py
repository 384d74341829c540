"""A panel for a reader with a kernel: choose how to train, train the toy for half a minute, watch the curves move.

Training goes on in a thread of its own, so the notebook stays alive and the stop button works. A page without a kernel
gets a picture of the runs that the panel was given.
"""

from __future__ import annotations

import base64
import html
import io
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as widgets

from gpkl_lib.corpora import toy_corpus
from gpkl_lib.palette import COLOURS, DASHES, MARKERS, PALETTE
from gpkl_lib.tagger import Tagger
from gpkl_lib.training import METHODS, History, TrainingConfig, fit


class TrainingPanel(widgets.VBox):  # type: ignore[misc]
    """Controls, a train and a stop button, and the curves of all runs; `training_panel` builds it.

    Attributes:
        runs: the history of each run by its label, the one under way included.
        error: what ended the last run before its time; None if nothing did.

    Example:
        >>> panel = training_panel("sigmoid", sentences=20, epochs=2)
        >>> panel.runs, panel.error
        ({}, None)
    """

    def __init__(
        self,
        method: str,
        methods: Sequence[str],
        earlier: Mapping[str, History],
        alpha: float,
        sentences: int,
        teacher: Tagger | None,
        settings: Mapping[str, Any],
    ) -> None:
        self.runs: dict[str, History] = dict(earlier)
        self.error: Exception | None = None
        self._sentences, self._teacher, self._settings = sentences, teacher, dict(settings)
        self._stop, self._thread = threading.Event(), threading.Thread()
        wide = {"style": {"description_width": "7rem"}, "layout": {"width": "24rem"}}
        self.method = widgets.Dropdown(options=list(methods), value=method, description="method", **wide)
        self.alpha = widgets.FloatLogSlider(value=alpha, min=-2, max=1, step=0.1, description="alpha", **wide)
        self.dropout = widgets.FloatSlider(value=0.3, min=0, max=0.6, step=0.05, description="dropout", **wide)
        self.noise = widgets.FloatSlider(value=0.1, min=0, max=0.4, step=0.05, description="label noise", **wide)
        self.train = widgets.Button(description="Train", button_style="primary", icon="play")
        self.stop = widgets.Button(description="Stop", icon="stop", disabled=True)
        self.clear = widgets.Button(description="Clear", icon="trash")
        self.progress = widgets.IntProgress(description="", layout={"width": "24rem"})
        self.status = widgets.HTML()
        self.chart = widgets.HTML()
        self.train.on_click(lambda _: self.start())
        self.stop.on_click(lambda _: self._stop.set())
        self.clear.on_click(lambda _: self._forget())
        buttons = widgets.HBox([self.train, self.stop, self.clear])
        rows = [self.method, self.alpha, self.dropout, self.noise, buttons, self.progress, self.status, self.chart]
        super().__init__(rows)
        self._draw()

    def start(self) -> None:
        """Train with what the controls say, in a thread of its own; nothing while a run is under way."""
        if self._thread.is_alive():
            return
        self._stop.clear()
        self.error = None
        chosen = {"method": self.method.value, "dropout": self.dropout.value, "noise": self.noise.value}
        chosen["alpha"] = float(f"{self.alpha.value:.3g}")
        self.train.disabled, self.stop.disabled = True, False
        self._thread = threading.Thread(target=self._run, kwargs=chosen, daemon=True)
        self._thread.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Until the run under way has ended, `timeout` seconds at most; whether it has."""
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def close(self) -> None:
        """Stop what is under way and take the panel down."""
        self._stop.set()
        super().close()

    def _run(self, method: str, alpha: float, dropout: float, noise: float) -> None:
        label, began = self._label(method, alpha, dropout, noise), time.monotonic()
        try:
            self._train(label, method, alpha, dropout, noise)
        except Exception as error:
            self.error = error
            self._say(f"{label}: {type(error).__name__}: {error}", "alert")
        else:
            run, seconds = self.runs[label], time.monotonic() - began
            if self._stop.is_set():
                self._say(f"{label}: stopped after {len(run)} epochs.")
            else:
                best = run.best
                self._say(f"{label}: best dev F1 {best['f1']:.3f} after epoch {best['epoch']}, {seconds:.0f} s.")
        finally:
            if label in self.runs and not self.runs[label].rows:
                del self.runs[label]
            self._draw()
            self.progress.value = 0
            self.train.disabled, self.stop.disabled = False, True

    def _train(self, label: str, method: str, alpha: float, dropout: float, noise: float) -> None:
        """Call `fit`, whose every step asks whether to stop, and whose every epoch moves the curves."""
        train, needs = toy_corpus(self._sentences, label_noise=noise), METHODS[method].needs
        more: dict[str, Any] = {"teacher": self._teacher} if needs == "teacher" else {}
        if needs == "unlabelled":
            more["unlabelled"] = toy_corpus(self._sentences + 400)[self._sentences :]
        sizes: dict[str, Any] = {"hidden_size": 100, "dropout": dropout}
        config = TrainingConfig(method=method, alpha=alpha, **self._settings)
        tagger = Tagger.from_scratch(train.sentences, train.types, seed=config.seed, **sizes)
        self.progress.max, self.progress.value = config.epochs, 0
        self._say(f"{label}: training.")

        def show(history: History) -> None:
            self.runs[label] = history
            self.progress.value = len(history)
            self._draw()

        self.runs[label] = History()
        more |= {"config": config, "on_epoch": show, "should_stop": self._stop.is_set}
        self.runs[label] = fit(tagger, train, toy_corpus(split="dev"), progress=False, **more)

    def _label(self, method: str, alpha: float, dropout: float, noise: float) -> str:
        """What a run is called in the legend; a number tells it from one of the same settings."""
        weight = "" if method == "none" else f" α={alpha:g}"
        label, count = f"{method}{weight}, dropout {dropout:g}, noise {noise:g}", 1
        taken = label
        while taken in self.runs:
            count += 1
            taken = f"{label} ({count})"
        return taken

    def _forget(self) -> None:
        if not self._thread.is_alive():
            self.runs.clear()
            self._draw()

    def _say(self, text: str, role: str = "status") -> None:
        self.status.value = f'<p role="{role}">{html.escape(text)}</p>'

    def _draw(self) -> None:
        self.chart.value = self.picture()

    def picture(self) -> str:
        """The curves of all runs as an HTML image with its text."""
        ends = "; ".join(
            f"{name}, best F1 {history.best['f1']:.3f} after epoch {history.best['epoch']}"
            for name, history in self.runs.items()
            if history.rows
        )
        alt = f"Two plots against the epoch, a line for each run: training loss, and F1 on dev. Runs: {ends or 'none'}."
        data = base64.b64encode(_png(self.runs)).decode()
        return f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{data}" style="max-width: 100%">'

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The widget for who has a kernel, the picture for a page."""
        found = super()._repr_mimebundle_(**kwargs)
        data = found[0] if isinstance(found, tuple) else found
        data = {**(data or {}), "text/plain": f"TrainingPanel({', '.join(self.runs)})", "text/html": self.picture()}
        return (data, found[1]) if isinstance(found, tuple) else data


def training_panel(
    method: str = "sigmoid",
    *,
    earlier: Mapping[str, History] | None = None,
    methods: Sequence[str] | None = None,
    alpha: float = 1.0,
    sentences: int = 200,
    teacher: Tagger | None = None,
    **settings: Any,
) -> TrainingPanel:
    """A panel that trains the toy corpus: method, alpha, dropout, label noise, and the curves of every run.

    On a page without a kernel it is a picture of the runs in `earlier`. While it trains in its thread it shares torch's
    random state with the notebook: cells that draw numbers should wait.

    Args:
        method: chosen at first.
        earlier: histories by name, drawn from the start.
        methods: to choose from; all of them where not given, "distillation" only with a teacher.
        alpha: chosen at first, 0.01 to 10.
        sentences: of the toy's training part; "uda" gets 400 others as well, without labels.
        teacher: for "distillation".
        settings: others of `TrainingConfig`, as `epsilon=0.5`; 25 epochs, batches of 8 and a rate of 0.01 if not given.

    Raises:
        ValueError: a method that cannot be chosen, an alpha outside its slider, a setting out of its range.
        TypeError: a setting that `TrainingConfig` does not have.

    Example:
        >>> training_panel("vat", epsilon=0.5, epochs=2).error is None
        True
    """
    offered = (
        [name for name, each in METHODS.items() if each.needs != "teacher" or teacher]
        if methods is None
        else list(methods)
    )
    if method not in offered:
        raise ValueError(f"method must be one of {', '.join(offered)}, got {method!r}")
    if not 0.01 <= alpha <= 10:
        raise ValueError(f"alpha must lie between 0.01 and 10, got {alpha}")
    chosen: dict[str, Any] = {"epochs": 25, "batch_size": 8, "learning_rate": 0.01, **settings}
    TrainingConfig(**chosen)  # complain now, not when the button is pressed
    return TrainingPanel(method, offered, earlier or {}, alpha, sentences, teacher, chosen)


def _png(runs: Mapping[str, History]) -> bytes:
    from matplotlib.figure import Figure  # a second, which only a drawn chart takes

    figure = Figure(figsize=(5.6, 4.6), dpi=110, layout="constrained")
    axes = figure.subplots(2, 1, sharex=True)
    for number, (name, history) in enumerate(runs.items()):
        k, last = number % len(COLOURS), number == len(runs) - 1
        epochs = [row["epoch"] for row in history.rows]
        for ax, key in zip(axes, ("loss", "f1"), strict=True):
            style = {"color": PALETTE[COLOURS[k]], "linestyle": DASHES[k], "marker": MARKERS[k], "markersize": 3}
            ax.plot(epochs, [row[key] for row in history.rows], linewidth=2.4 if last else 1.4, label=name, **style)
    for ax, title in zip(axes, ("training loss (nats)", "dev F1"), strict=True):
        ax.set_title(title, loc="left", fontsize=11)
        ax.grid(color="#D9DEE4", linewidth=0.6)
        ax.spines[["top", "right"]].set_visible(False)
    axes[1].set(xlabel="epoch", ylim=(0, 1))
    if runs:
        axes[1].legend(fontsize=8, frameon=False)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()
