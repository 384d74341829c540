"""Drawing aids of the explorables, in Python and in JavaScript."""
