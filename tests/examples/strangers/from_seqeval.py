# Rows of his own, in BIOES. Prints: F1 0\.5000
from from_seqeval import spans

from gpkl_lib import span_scores

gold = [["B-PER", "E-PER", "O", "S-LOC"]]
found = [["B-PER", "E-PER", "S-LOC", "O"]]
print(f"F1 {span_scores(spans(found, 'BIOES'), spans(gold, 'BIOES')).f1:.4f}")
