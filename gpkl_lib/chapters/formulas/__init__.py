"""The formulas of each chapter, one module a chapter: derivations and statements that check themselves."""
