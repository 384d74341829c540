# The head of a trained model of his. Prints: torch.Size\(\[1, 2, 5, 5\]\)
import torch
from from_bert4torch import move_head

dense = torch.nn.Linear(32, 2 * 2 * 8)  # of 2 types and head_size 8, as a checkpoint has it
weights = {"dense.weight": dense.weight, "dense.bias": dense.bias}
head = move_head(weights, hidden_size=32, heads=2, head_size=8)
print(head(torch.randn(1, 5, 32)).shape)
